"""What layers are called, and what of a model is no layer."""

from pathlib import Path

import numpy as np
import pytest

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.base.findings import FindingKind
from ariba_cli.detectors import make_detector
from ariba_cli.files.limits import Limits
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.inspection import inspect_file, inspect_round
from ariba_cli.rounds.names import plain_name, plain_names, read_names
from tests.models import Tensors, random_model, write_model


def with_statistics(seed: int) -> Tensors:
    rng = np.random.default_rng(seed)
    return {
        **random_model(seed),
        "bn1.weight": rng.standard_normal(4),
        "bn1.running_mean": 1000 * rng.standard_normal(4),
        "bn1.running_var": rng.standard_normal(4),
        "bn1.num_batches_tracked": np.array(7),
    }


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("conv1.weight", "conv1.weight"),
        ("module.conv1.weight", "conv1.weight"),
        ("model.layers.0.q.weight", "layers.0.q.weight"),
        ("base_model.model.model.layers.0.q.weight", "layers.0.q.weight"),
        ("_orig_mod.module.conv1.weight", "conv1.weight"),
        ("model.", "model."),
        ("models.conv1.weight", "models.conv1.weight"),
    ],
)
def test_prefixes_of_frameworks_do_not_matter(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_names_that_only_a_prefix_tells_apart_stay_whole() -> None:
    assert plain_names(["a", "model.a", "module.b"]) == {
        "a": "a",
        "model.a": "model.a",
        "b": "module.b",
    }


@pytest.mark.parametrize("asked", ["conv2", "conv2.weight", "module.conv2", "model.conv2.weight"])
def test_a_layer_goes_by_any_of_its_names(tmp_path: Path, asked: str) -> None:
    for index in range(5):
        prefix = "module." if index < 3 else ""
        model = {prefix + name: values for name, values in random_model(index).items()}
        write_model(tmp_path / f"p{index}.safetensors", model)
    found = audit(open_round(tmp_path), AuditSettings(layers=(asked,)))
    assert found.layers[0].layer == "conv2.weight"
    assert len(found.marked_layers[0].scores) == 5


def test_nobody_hides_behind_a_second_name(tmp_path: Path) -> None:
    """What the server loads is what most call it: a decoy under the plain name is not read."""
    for index in range(6):
        model = {f"module.{name}": one for name, one in random_model(index).items()}
        if index == 0:
            model["conv2.weight"] = model["module.conv2.weight"]
            model["module.conv2.weight"] = 50 * model["module.conv2.weight"]
        write_model(tmp_path / f"p{index}.safetensors", model)
    found = audit(open_round(tmp_path), AuditSettings(layers=("conv2",)))
    assert found.ranking[0].id == "p0"
    # Where most have one name, a participant with neither it nor a single other one has none.
    model = {f"model.{name}": one for name, one in random_model(9).items()}
    model["_orig_mod.conv2.weight"] = model["model.conv2.weight"]
    write_model(tmp_path / "p9.safetensors", model)
    found = audit(open_round(tmp_path), AuditSettings(layers=("conv2",)))
    assert [f.participant for f in found.findings if f.kind == FindingKind.MISSING_LAYER] == ["p9"]


def test_statistics_of_batch_normalisation_are_no_weights(tmp_path: Path) -> None:
    for index in range(3):
        write_model(tmp_path / f"p{index}.safetensors", with_statistics(index))
    found = inspect_round(open_round(tmp_path))
    assert {layer.name for layer in found.layers} == {*random_model(0), "bn1.weight"}
    assert [layer.name for layer in found.statistics] == ["bn1.running_mean", "bn1.running_var"]
    norms = [one.norm for one in found.participants]
    assert all(norm is not None and norm < 100 for norm in norms)
    one = inspect_file(tmp_path / "p0.safetensors")
    assert [layer.name for layer in one.statistics] == ["bn1.running_mean", "bn1.running_var"]
    verdict = audit(open_round(tmp_path), AuditSettings(layers=("conv2",)))
    assert verdict.coverage.layers_total == 4
    assert verdict.coverage.parameters_total == 4 * 9 + 8 * 4 * 9 + 5 * 32 + 4
    with pytest.raises(UsageError, match="statistic of batch normalisation"):
        audit(open_round(tmp_path), AuditSettings(layers=("bn1.running_mean",)))


@pytest.mark.parametrize(
    ("detector", "layers"),
    [
        ("mahalanobis", ["conv1.weight", "conv2.weight", "fc.weight"]),
        ("krum", ["bn1.weight", "conv1.weight", "conv2.weight", "fc.weight"]),
    ],
)
def test_without_a_choice_all_weights_are_examined_and_no_statistics(
    tmp_path: Path, detector: str, layers: list[str]
) -> None:
    for index in range(5):
        write_model(tmp_path / f"p{index}.safetensors", with_statistics(index))
    detectors = (make_detector(detector),)
    verdict = audit(open_round(tmp_path), AuditSettings(detectors=detectors))
    assert sorted(verdict.method.layers) == layers
    assert verdict.method.layer_choice == "all"
    assert verdict.method.requested.layers == ()
    assert (verdict.coverage.layers_examined, verdict.coverage.layers_total) == (len(layers), 4)
    assert [layer.shape for layer in verdict.layers if layer.layer == "conv2.weight"] == [
        (8, 4, 3, 3)
    ]


@pytest.mark.parametrize(
    ("content", "found"),
    [("a\nb\n", ("a", "b")), ('["a", "b c"]', ("a", "b c")), ("a b", ("a", "b"))],
)
def test_names_come_one_a_line_or_as_json(
    tmp_path: Path, content: str, found: tuple[str, ...]
) -> None:
    (tmp_path / "names").write_text(content)
    assert read_names(tmp_path / "names", Limits()) == found


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "names nothing"),
        (b"[]", "names nothing"),
        (b"[1]", "names nothing"),
        (b"[" * 9999, "no list of names"),
        (b"\xff", "no list of names"),
        (b"a\na\n", "names 'a' twice"),
    ],
)
def test_a_file_without_names_says_so(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "names").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_names(tmp_path / "names", Limits())
    with pytest.raises(InputError, match="cannot be read"):
        read_names(tmp_path / "nowhere", Limits())


@pytest.mark.parametrize(("holders", "agreed"), [(3, False), (4, True)])
def test_a_layer_is_agreed_on_by_more_than_half(tmp_path: Path, holders: int, agreed: bool) -> None:
    """Half of all are no majority: attackers may be as many."""
    for index in range(6):
        model = random_model(index)
        if index < holders:
            model["extra.weight"] = (
                np.random.default_rng(index).standard_normal((4, 4)).astype(np.float32)
            )
        write_model(tmp_path / f"p{index}.safetensors", model)
    verdict = audit(open_round(tmp_path), AuditSettings())
    assert ("extra.weight" in verdict.method.layers) == agreed
