"""FedAvg over a saved round: Eq. 1, whoever has to be left out, and nothing half-written."""

import hashlib
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ariba_cli.aggregation.aggregate import aggregate_round
from ariba_cli.aggregation.in_memory import next_model
from ariba_cli.base.errors import AribaError, InputError, OutputError, UsageError
from ariba_cli.base.findings import FindingKind
from ariba_cli.federated.federation import FederationSettings
from ariba_cli.formats import open_model
from ariba_cli.formats.model import ReadOptions
from ariba_cli.replay.suspects import read_suspects
from ariba_cli.reports.canonical import canonical_bytes
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.host import Answer, HostRecord
from ariba_cli.rounds.manifest import Kind
from ariba_cli.rounds.writing import RoundWriter, new_directory
from ariba_cli.runs.plan import Keep, Plan
from ariba_cli.runs.run_file import read_run
from ariba_cli.runs.simulation import simulate
from tests.conftest import Ariba, environment
from tests.models import random_model, safetensors_bytes, write_flat_round, write_model
from tests.reports import printed
from tests.test_cli_imports import HEAVY, imported

Array = npt.NDArray[np.floating]
Model = dict[str, Array]

# Of the average of the round `saved`.
GOLDEN = "0cdd5d189c4b5103517becfa3788e2091a16b086a51d926e5e60fb7527892f20"

IDS = ("p0", "p1", "p2", "p3", "p4")


def sent(seed: int) -> Model:
    return dict(random_model(seed))


def round_of(
    path: Path,
    models: Mapping[str, Model],
    *,
    start: Model | None = None,
    kind: Kind = "weights",
    format_name: str = "safetensors",
) -> Path:
    with new_directory(path) as partial:
        writer = RoundWriter(partial, format_name=format_name)
        if start is not None:
            writer.write_global(start)
        for name, model in models.items():
            writer.write_participant(name, model)
        writer.seal(round_number=3, kind=kind, layers=list(random_model(0)))
    return path


def read(path: Path) -> Model:
    return dict(open_model(path, ReadOptions()).floats())


def aggregated(path: Path, out: Path, **settings: Any) -> Model:
    aggregate_round(open_round(path), out, **settings)
    return read(out)


def equation_1(start: Model, models: list[Model], weights: list[float], eta: float) -> Model:
    """Written down as it stands in the paper, in float64."""
    return {
        name: start[name]
        + eta
        * sum(
            w * (model[name].astype(np.float64) - start[name])
            for w, model in zip(weights, models, strict=True)
        )
        for name in start
    }


def assert_near(found: Model, expected: Model) -> None:
    assert found.keys() == expected.keys()
    for name, values in found.items():
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, expected[name], rtol=2e-7, atol=1e-7)


def assert_same(found: Model, expected: Model) -> None:
    assert found.keys() == expected.keys()
    for name, values in found.items():
        np.testing.assert_array_equal(values, expected[name])


@pytest.fixture
def models() -> dict[str, Model]:
    return {name: sent(seed) for seed, name in enumerate(IDS, 1)}


@pytest.fixture
def saved(tmp_path: Path, models: dict[str, Model]) -> Path:
    return round_of(tmp_path / "round", models, start=sent(0))


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one round, dealt out unevenly, with η = 0.5."""
    root = tmp_path_factory.mktemp("aggregate") / "run"
    settings = FederationSettings(participants=4, rounds=1, eta=0.5, partition="dirichlet:1")
    simulate(Plan(settings=settings, keep=Keep(), format_name="safetensors"), root)
    return root


@pytest.fixture
def report() -> dict[str, Any]:
    """The report of an audit of the attacked fixture round."""
    content: dict[str, Any] = json.loads(printed("audit-attacked"))
    return content


def sealed(report: dict[str, Any]) -> dict[str, Any]:
    """A report whose hash is right again after it was changed."""
    digest = hashlib.sha256(canonical_bytes(report["result"])).hexdigest()
    return {**report, "result_sha256": digest}


@pytest.mark.parametrize("eta", [1.0, 0.3, 2.5])
def test_the_average_is_equation_1(
    tmp_path: Path, saved: Path, models: dict[str, Model], eta: float
) -> None:
    found = aggregated(saved, tmp_path / "out", eta=eta)
    assert_near(found, equation_1(sent(0), list(models.values()), [1 / 5] * 5, eta))


def test_samples_are_weights(tmp_path: Path, saved: Path, models: dict[str, Model]) -> None:
    samples = dict(zip(IDS, (10, 0, 25, 1, 4), strict=True))
    found = aggregated(saved, tmp_path / "out", eta=0.7, samples=samples)
    weights = [count / 40 for count in samples.values()]
    assert_near(found, equation_1(sent(0), list(models.values()), weights, 0.7))


def test_it_is_what_a_federation_does_to_the_bit(tmp_path: Path, saved: Path) -> None:
    updates = [dict(random_model(seed)) for seed in range(1, 6)]
    expected = {}
    for name, values in random_model(0).items():
        start = values.astype(np.float64)
        total = np.zeros_like(start)
        for update in updates:
            total += update[name] - start
        expected[name] = (start + 0.7 / 5 * total).astype(np.float32)
    by_id = dict(zip(IDS, updates, strict=True))
    assert_same(dict(next_model(random_model(0), by_id, 0.7)), expected)
    assert_same(aggregated(saved, tmp_path / "out", eta=0.7), expected)


def test_the_bytes_are_the_same_everywhere(tmp_path: Path, saved: Path) -> None:
    aggregate_round(open_round(saved), tmp_path / "out", eta=0.7)
    assert hashlib.sha256((tmp_path / "out").read_bytes()).hexdigest() == GOLDEN


def test_equal_counts_change_nothing(tmp_path: Path, saved: Path) -> None:
    one = aggregated(saved, tmp_path / "one")
    three = aggregated(saved, tmp_path / "three", samples=dict.fromkeys(IDS, 3))
    assert_near(one, three)


@pytest.mark.parametrize("format_name", ["safetensors", "hdf5"])
def test_differences_give_what_weights_give(
    tmp_path: Path, models: dict[str, Model], format_name: str
) -> None:
    start = sent(0)
    moved: dict[str, Model] = {
        identifier: {name: values - start[name] for name, values in model.items()}
        for identifier, model in models.items()
    }
    path = round_of(
        tmp_path / "differences", moved, start=start, kind="difference", format_name=format_name
    )
    found = aggregated(path, tmp_path / "out", eta=0.5)
    expected = equation_1(start, list(models.values()), [1 / 5] * 5, 0.5)
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-6)


def test_without_a_global_model_it_is_the_mean(tmp_path: Path) -> None:
    path = write_flat_round(tmp_path / "flat", boosted=0)
    found = aggregated(path, tmp_path / "out")
    for name, values in found.items():
        mean = np.mean([sent(seed)[name].astype(np.float64) for seed in range(6)], axis=0)
        np.testing.assert_allclose(values, mean, rtol=2e-7, atol=1e-7)


def test_the_order_and_the_format_of_files_change_nothing(
    tmp_path: Path, saved: Path, models: dict[str, Model]
) -> None:
    other = tmp_path / "other"
    write_model(other / "global.h5", sent(0), "hdf5")
    for name in reversed(IDS):
        backwards = dict(reversed(models[name].items()))
        prefixed = {f"module.{key}": values for key, values in backwards.items()}
        if name == "p2":
            write_model(other / "p2" / "model.safetensors", prefixed)
        else:
            write_model(other / f"{name}.h5", prefixed, "hdf5")
    for path, out in ((saved, "one"), (other, "two")):
        aggregate_round(open_round(path), tmp_path / out, eta=0.7)
    assert_same(read(tmp_path / "one"), read(tmp_path / "two"))


def test_tensors_are_in_model_order(tmp_path: Path, models: dict[str, Model]) -> None:
    with new_directory(tmp_path / "round") as partial:
        writer = RoundWriter(partial)
        writer.write_global(sent(0))
        writer.write_participant("p0", models["p0"])
        layers = ["fc.weight", "conv1.weight", "conv2.weight"]
        writer.seal(round_number=1, kind="weights", layers=layers)
    assert list(aggregated(tmp_path / "round", tmp_path / "out")) == layers


def test_float64_stays_float64_and_counters_are_the_servers(tmp_path: Path) -> None:
    root = tmp_path / "round"
    wide = {"w": np.array([1.0, 2.0]), "v": np.array([1.0], np.float32)}
    for index in range(3):
        write_model(root / f"p{index}.safetensors", {n: v + index for n, v in wide.items()})
    header = {
        "count": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]},
        "v": {"dtype": "F32", "shape": [1], "data_offsets": [24, 28]},
        "w": {"dtype": "F64", "shape": [2], "data_offsets": [8, 24]},
    }
    data = np.int64(7).tobytes() + wide["w"].tobytes() + wide["v"].tobytes()
    (root / "global.safetensors").write_bytes(safetensors_bytes(header, data))
    done = aggregate_round(open_round(root), tmp_path / "out")
    assert done.kept == ("count",)
    model = open_model(tmp_path / "out", ReadOptions())
    assert {n: t.spec.dtype for n, t in model.tensors.items()} == {
        "count": "I64",
        "w": "F64",
        "v": "F32",
    }
    assert bytes(model.read("count")) == np.int64(7).tobytes()
    assert read(tmp_path / "out")["w"].tolist() == [2.0, 3.0]


def test_to_drop_is_to_average_the_others(
    tmp_path: Path, attacked: Path, report: dict[str, Any]
) -> None:
    suspects = [one["id"] for one in report["result"]["ranking"] if one["flagged"]]
    assert set(suspects) == {"p15", "p18"}
    found = aggregated(attacked, tmp_path / "dropped", dropped=suspects)
    # Without them in the round at all:
    (attacked / "manifest.json").unlink()
    for name in suspects:
        (attacked / "participants" / f"{name}.safetensors").unlink()
    assert_same(found, aggregated(attacked, tmp_path / "others"))


@pytest.mark.parametrize("one_line", [False, True])
def test_the_command_drops_suspects_and_says_who(
    tmp_path: Path, attacked: Path, ariba: Ariba, report: dict[str, Any], one_line: bool
) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(printed("audit-attacked"))
    if one_line:
        path.write_text(json.dumps(report) + "\n")
    done = ariba("aggregate", attacked, "--drop", "report.json", "--out", "out.safetensors")
    assert done.returncode == 0
    suspects = [one["id"] for one in report["result"]["ranking"] if one["flagged"]]
    lines = done.stdout.decode().splitlines()
    assert lines == [f"{name}\tnamed" for name in sorted(suspects)]
    assert b"averaged 18 of 20 by fedavg with eta 1" in done.stderr
    assert_same(
        read(tmp_path / "out.safetensors"),
        aggregated(attacked, tmp_path / "out", dropped=suspects),
    )


def no_version(report: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in report.items() if key != "schema_version"}


def another_version(report: dict[str, Any]) -> dict[str, Any]:
    return {**report, "schema_version": "1.0.0"}


def changed(report: dict[str, Any]) -> dict[str, Any]:
    report["result"]["ranking"][0]["flagged"] = False
    return report


def of_others(report: dict[str, Any]) -> dict[str, Any]:
    for old, new in (("p19", "p99"),):
        report = json.loads(json.dumps(report).replace(f'"{old}"', f'"{new}"'))
    return sealed(report)


def of_fewer(report: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = without_the_last(report)
    for rank, one in enumerate(found["result"]["ranking"], 1):
        one["rank"] = rank
    return sealed(found)


def without_the_last(part: Any) -> Any:
    """Return part of a report as if nothing had come from p19."""
    if isinstance(part, list):
        mine = (one == "p19" or (isinstance(one, dict) and one.get("id") == "p19") for one in part)
        return [without_the_last(one) for one, his in zip(part, mine, strict=True) if not his]
    if isinstance(part, dict):
        kept = {key: without_the_last(value) for key, value in part.items() if key != "p19"}
        return kept | ({"participants": 19} if kept.get("participants") == 20 else {})
    return part


def of_other_bytes(report: dict[str, Any]) -> dict[str, Any]:
    report["result"]["layers"][0]["tensor_sha256"]["p04"] = "0" * 64
    return sealed(report)


def of_a_stranger(report: dict[str, Any]) -> dict[str, Any]:
    report["result"]["ranking"][0]["id"] = "p99"
    return sealed(report)


def unsure(report: dict[str, Any]) -> dict[str, Any]:
    report["result"]["ranking"][0]["suspect"] = "yes"
    return sealed(report)


def without_ranking(report: dict[str, Any]) -> dict[str, Any]:
    del report["result"]["ranking"]
    return sealed(report)


def of_a_file(report: dict[str, Any]) -> dict[str, Any]:
    return sealed({**report, "result": {"type": "file"}})


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (no_version, "is not a report of ariba"),
        (another_version, "has schema version 1.0.0"),
        (changed, "was changed: its "),
        (of_others, "is a report on another round than .* it names 'p99'"),
        (of_fewer, "is a report on another round than .* does not name 'p19'"),
        (of_other_bytes, "is a report on another round than .* bytes of conv1.weight from 'p04'"),
        (of_a_stranger, "is not a report of an audit"),
        (unsure, "is not a report of an audit"),
        (without_ranking, "is not a report of an audit"),
        (of_a_file, "is not a report of an audit"),
    ],
)
def test_bad_reports_are_refused(
    tmp_path: Path,
    attacked: Path,
    report: dict[str, Any],
    spoil: Callable[[dict[str, Any]], dict[str, Any]],
    why: str,
) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(spoil(report)))
    with pytest.raises(InputError, match=why):
        read_suspects(path, open_round(attacked))


@pytest.mark.parametrize(
    "data", [b"", b"[1]", b"{}", b"{}\n{}\n", b'{"a": NaN}', b"[" * 100_000, b"\xff"]
)
def test_what_is_no_report_is_refused_in_one_line(
    tmp_path: Path, attacked: Path, ariba: Ariba, data: bytes
) -> None:
    (tmp_path / "bad.json").write_bytes(data)
    done = ariba("aggregate", attacked, "--drop", "bad.json", "--out", "out")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"error: 'bad.json' ")
    assert done.stderr.count(b"\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_report_on_the_round_before_is_refused(
    tmp_path: Path, attacked: Path, ariba: Ariba
) -> None:
    """Its participants are the same, and only what they sent is not."""
    (tmp_path / "report.json").write_bytes(printed("audit-attacked"))
    path = attacked / "participants" / "p03.safetensors"
    shutil.copy(attacked / "participants" / "p04.safetensors", path)
    done = ariba("aggregate", attacked, "--drop", "report.json", "--out", "out")
    assert done.returncode == 2
    assert b"another round" in done.stderr
    assert b"'p03'" in done.stderr


def without_fc(model: Model) -> Model:
    return {name: values for name, values in model.items() if name != "fc.weight"}


def of_other_shape(model: Model) -> Model:
    return model | {"fc.weight": np.zeros((5, 31), np.float32)}


def with_nan(model: Model) -> Model:
    values = model["fc.weight"].copy()
    values[2, 3] = np.nan
    return model | {"fc.weight": values}


def with_infinity(model: Model) -> Model:
    return model | {"fc.weight": np.full((5, 32), -np.inf, np.float32)}


def too_large(model: Model) -> Model:
    return model | {"fc.weight": np.full((5, 32), 1e200)}


def of_integers(model: Model) -> Model:
    integers: Any = np.zeros((5, 32), np.int32)
    return model | {"fc.weight": integers}


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (without_fc, FindingKind.MISSING_LAYER),
        (of_other_shape, FindingKind.WRONG_SHAPE),
        (with_nan, FindingKind.NONFINITE),
        (with_infinity, FindingKind.NONFINITE),
        (too_large, FindingKind.NONFINITE),
        (of_integers, FindingKind.WRONG_TYPE),
        (None, FindingKind.REFUSED),
    ],
)
@pytest.mark.parametrize("with_global", [True, False])
def test_an_update_that_cannot_be_used_is_left_out_and_named(
    tmp_path: Path,
    models: dict[str, Model],
    spoil: Callable[[Model], Model] | None,
    kind: FindingKind,
    with_global: bool,
) -> None:
    start = sent(0) if with_global else None
    others = {name: model for name, model in models.items() if name != "p2"}
    expected = aggregated(round_of(tmp_path / "others", others, start=start), tmp_path / "one")
    spoiled = models | {"p2": spoil(models["p2"])} if spoil else models
    path = round_of(tmp_path / "round", spoiled, start=start)
    if spoil is None:
        (path / "participants" / "p2.safetensors").write_bytes(b"nothing")
    done = aggregate_round(open_round(path), tmp_path / "two")
    assert [(one.participant, one.kind) for one in done.findings] == [("p2", kind)]
    assert done.used == ("p0", "p1", "p3", "p4")
    assert_same(read(tmp_path / "two"), expected)
    with pytest.raises(InputError, match=r"p2: .*--strict stops here"):
        aggregate_round(open_round(path), tmp_path / "three", strict=True)
    assert not (tmp_path / "three").exists()


def test_the_command_names_who_was_left_out(tmp_path: Path, ariba: Ariba) -> None:
    root = write_flat_round(tmp_path / "flat")
    write_model(root / "p2.safetensors", with_nan(sent(2)))
    write_model(root / "e\x1b[2J\tvil.safetensors", without_fc(sent(3)))
    done = ariba("aggregate", root, "--out", "out")
    assert done.returncode == 0
    assert done.stdout == b"e\\x1b[2J\\tvil\tmissing-layer\np2\tnonfinite\n"
    assert b"warning: nonfinite: p2: 1 NaN in fc.weight\n" in done.stderr
    assert b"\x1b" not in done.stderr


def test_adapters_are_refused(tmp_path: Path) -> None:
    for index in range(3):
        folder = tmp_path / "round" / f"p{index}"
        factors = {
            f"fc.lora_{which}.weight": np.ones(shape, np.float32)
            for which, shape in (("A", (2, 4)), ("B", (3, 2)))
        }
        write_model(folder / "adapter_model.safetensors", factors)
        config = {"peft_type": "LORA", "r": 2, "lora_alpha": 2}
        (folder / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="p0: is an adapter"):
        aggregate_round(open_round(tmp_path / "round"), tmp_path / "out")


@pytest.mark.parametrize(
    ("settings", "error", "why"),
    [
        ({"eta": 0.5}, UsageError, "--eta 0.5 needs the global model"),
        ({"dropped": ["p9"]}, UsageError, "cannot drop 'p9'"),
        ({"dropped": [f"p{index}" for index in range(6)]}, InputError, "all were dropped"),
        ({"samples": {"p0": 3}}, InputError, "how many samples 'p1' has"),
        ({"samples": {f"p{i}": 0 for i in range(6)}}, InputError, "nobody who is left"),
    ],
)
def test_what_cannot_be_averaged(
    tmp_path: Path, settings: dict[str, Any], error: type[AribaError], why: str
) -> None:
    round_ = open_round(write_flat_round(tmp_path / "flat"))
    with pytest.raises(error, match=why):
        aggregate_round(round_, tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


def test_differences_need_the_global_model(tmp_path: Path, models: dict[str, Model]) -> None:
    path = round_of(tmp_path / "round", models, kind="difference")
    with pytest.raises(InputError, match="name it with --global"):
        aggregate_round(open_round(path), tmp_path / "out")


@pytest.mark.parametrize(
    ("start", "why"),
    [
        (with_nan(sent(0)), "holds 1 NaN"),
        ({"other": np.zeros(1, np.float32)}, "p0: has no other"),
        ({"fc.weight": np.zeros((1, 1), np.float32)}, "p0: fc.weight has shape"),
        ({}, "no tensor of floats"),
    ],
)
def test_a_global_model_that_nothing_can_be_added_to(
    tmp_path: Path, models: dict[str, Model], start: Model, why: str
) -> None:
    path = round_of(tmp_path / "round", models, start=start)
    with pytest.raises(InputError, match=why):
        aggregate_round(open_round(path), tmp_path / "out")


def test_an_average_that_float32_cannot_hold_is_not_written(tmp_path: Path) -> None:
    start: Model = {"w": np.array([-3e38], np.float32)}
    large = {name: {"w": np.array([3e38], np.float32)} for name in IDS}
    path = round_of(tmp_path / "round", large, start=start)
    with pytest.raises(InputError, match="the average of w is larger than float32"):
        aggregate_round(open_round(path), tmp_path / "out", eta=2.0)
    assert [one.name for one in tmp_path.iterdir()] == ["round"]
    assert aggregated(path, tmp_path / "out")["w"].tolist() == [np.float32(3e38)]


def test_eta_is_that_of_the_run(tmp_path: Path, run: Path, ariba: Ariba) -> None:
    round_path = run / "round_0001"
    done = ariba("aggregate", round_path, "--out", "out")
    assert b"with eta 0.5" in done.stderr
    assert_same(read(tmp_path / "out"), aggregated(round_path, tmp_path / "half", eta=0.5))
    assert b"with eta 1;" in ariba("aggregate", round_path, "--eta", "1", "--out", "one").stderr


def test_samples_are_those_of_the_run(tmp_path: Path, run: Path, ariba: Ariba) -> None:
    round_path = run / "round_0001"
    samples = read_run(round_path).samples
    assert len(set(samples.values())) > 1
    done = ariba("aggregate", round_path, "--weights", "samples", "--out", "out")
    assert done.returncode == 0
    expected = aggregated(round_path, tmp_path / "expected", eta=0.5, samples=samples)
    assert_same(read(tmp_path / "out"), expected)


def test_samples_need_a_run(tmp_path: Path, ariba: Ariba) -> None:
    root = write_flat_round(tmp_path / "flat")
    done = ariba("aggregate", root, "--weights", "samples", "--out", "out")
    assert done.returncode == 2
    assert b"run.json' cannot be opened" in done.stderr
    assert b"for the samples of each participant" in done.stderr


def with_host(path: Path, content: bytes) -> Path:
    with new_directory(path) as partial:
        writer = RoundWriter(partial)
        for seed, name in enumerate(IDS):
            writer.write_participant(name, sent(seed))
        writer.write("host.json", [content])
        writer.seal(round_number=3, kind="weights", layers=list(random_model(0)))
    return path


def test_samples_are_those_that_the_host_was_told(tmp_path: Path, ariba: Ariba) -> None:
    samples = {name: 10 * index for index, name in enumerate(IDS, 1)}
    answers = {name: Answer(name, count) for name, count in samples.items()}
    record = HostRecord("flower", "watch", answers)
    root = with_host(tmp_path / "round", record.encode())
    assert open_round(root).findings == ()
    done = ariba("aggregate", root, "--weights", "samples", "--out", "out")
    assert done.returncode == 0, done.stderr
    expected = aggregated(root, tmp_path / "expected", samples=samples)
    assert_same(read(tmp_path / "out"), expected)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (HostRecord("flower", "watch", {"p0": Answer("p0", 3)}).encode(), b"samples 'p1' has"),
        (b'{"layout": 1, "participants": {"p0": 3}}', b"samples 'p0' has"),
        (b'{"layout": 2, "participants": {}}', b"does not have layout 1"),
        (b'{"layout": 1, "participants": []}', b"does not have layout 1"),
        (b"[]", b"is not a JSON object"),
    ],
)
def test_samples_that_no_host_says_are_not_believed(
    tmp_path: Path, ariba: Ariba, content: bytes, why: bytes
) -> None:
    root = with_host(tmp_path / "round", content)
    done = ariba("aggregate", root, "--weights", "samples", "--out", "out")
    assert (done.returncode, why in done.stderr) == (2, True), done.stderr


def test_samples_that_lie_among_the_updates_are_not_believed(tmp_path: Path, ariba: Ariba) -> None:
    root = write_flat_round(tmp_path / "flat")
    (root / "host.json").write_bytes(HostRecord("flower", "watch", {}).encode())
    done = ariba("aggregate", root, "--weights", "samples", "--out", "out")
    assert done.returncode == 2
    assert b"host.json' lies among the updates" in done.stderr


def test_nothing_is_overwritten_and_no_round_is_changed(tmp_path: Path, saved: Path) -> None:
    (tmp_path / "there").write_text("mine")
    for out, why in (
        (tmp_path / "there", "exists; name another file"),
        (saved / "out", "look like one"),
        (saved / "participants" / "out", "look like one"),
        (tmp_path / "no" / "out", "there is no folder"),
    ):
        with pytest.raises(OutputError, match=why):
            aggregate_round(open_round(saved), out)
    assert (tmp_path / "there").read_text() == "mine"


SCRIPT = """
import os, sys
from ariba_cli.cli import app
from ariba_cli.files import atomic

number = int(sys.argv.pop())
atomic.os.fsync = lambda _: os.kill(os.getpid(), number)
sys.exit(app.main())
"""


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143)])
def test_a_command_that_is_ended_leaves_nothing(
    tmp_path: Path, saved: Path, number: int, code: int
) -> None:
    before = sorted(tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "aggregate", saved, "--out", "out", str(number)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == code
    assert sorted(tmp_path.iterdir()) == before


def test_a_full_disk_leaves_nothing(tmp_path: Path, saved: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))

    before = sorted(tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, "-B", "-m", "ariba_cli", "aggregate", saved, "--out", "out"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        check=False,
        preexec_fn=small_files,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: 'out' cannot be written: File too large")
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_heavy_is_imported(tmp_path: Path, saved: Path) -> None:
    assert not imported("aggregate", saved, "--out", tmp_path / "out") & (HEAVY | {"h5py", "rich"})


def test_participants_are_dropped_by_id(tmp_path: Path, attacked: Path, ariba: Ariba) -> None:
    command = ("aggregate", attacked, "--drop", "p15", "--drop", "p18")
    done = ariba(*command, "--out", "out.safetensors")
    assert (done.returncode, done.stdout.decode().split("\n")[:2]) == (
        0,
        ["p15\tdropped", "p18\tdropped"],
    )
    assert_same(
        read(tmp_path / "out.safetensors"),
        aggregated(attacked, tmp_path / "out", dropped=["p15", "p18"]),
    )
    wrong = ariba("aggregate", attacked, "--drop", "p99", "--out", "other.safetensors")
    assert wrong.returncode == 2
    assert b"p99" in wrong.stderr
    assert not (tmp_path / "other.safetensors").exists()
