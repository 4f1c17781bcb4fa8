"""The federation: repeatable, and as the paper defines its parts."""

import hashlib
import json
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from ariba_cli.aggregation.in_memory import next_model
from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.federated.datasets import DATASETS
from ariba_cli.federated.defaults import DEFAULTS
from ariba_cli.federated.federation import Federation, FederationSettings
from ariba_cli.federated.models import MODELS, Weights
from ariba_cli.federated.randomness import derived_seed
from ariba_cli.federated.training import Engine, Task
from ariba_cli.formats import ENCODERS
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.inspection import inspect_round
from ariba_cli.runs.plan import Keep, Plan, parse_keep
from ariba_cli.runs.run_file import encode_run, read_run
from ariba_cli.runs.simulation import simulate
from tests.conftest import environment

SMALL = FederationSettings(participants=4, rounds=3)


def small(keep: Keep, format_name: str = "safetensors") -> Plan:
    return Plan(settings=SMALL, keep=keep, format_name=format_name)


def contents(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_seeds_depend_on_everything_they_are_for() -> None:
    seeds = {
        derived_seed(seed, purpose, round_number=round_number, participant=participant)
        for seed in (0, 1)
        for purpose in ("a", "b")
        for round_number in (0, 1)
        for participant in (0, 1)
    }
    assert len(seeds) == 16
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.usefixtures("quick")
def test_updates_of_one_round_at_a_time_are_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, left = Engine.train, []
    sent: list[weakref.ref[npt.NDArray[np.float32]]] = []

    def watched(engine: Engine, weights: Weights, tasks: list[Task], *_: object) -> list[Weights]:
        left.append(sum(update() is not None for update in sent))
        trained = train(engine, weights, tasks)
        sent.extend(weakref.ref(values) for update in trained for values in update.values())
        return trained

    monkeypatch.setattr(Engine, "train", watched)
    simulate(small(Keep(1)), tmp_path / "run")
    assert sent
    assert left == [0, 0, 0]


def test_fedavg_is_equation_1() -> None:
    start = {"w": np.array([1.0, 2.0], np.float32)}
    sent = {"p0": [2.0, 2.0], "p1": [4.0, 1.0]}
    updates = {name: {"w": np.array(values, np.float32)} for name, values in sent.items()}
    assert next_model(start, updates, 1.0)["w"].tolist() == [3.0, 1.5]
    assert next_model(start, updates, 0.5)["w"].tolist() == [2.0, 1.75]


def test_what_batch_normalisation_measured_is_no_step() -> None:
    """A variance that is extrapolated is negative before long, and then nothing is finite."""
    start = {name: np.array([1.0], np.float32) for name in ("bn.weight", "bn.running_var")}
    updates = {
        f"p{value}": {name: np.array([value], np.float32) for name in start}
        for value in (0.25, 0.75)
    }
    after = next_model(start, updates, 3.0)
    assert (after["bn.weight"].item(), after["bn.running_var"].item()) == (-0.5, 0.5)


def test_training_again_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    simulate(small(Keep(every=1)), tmp_path / "one")
    arguments = ["--participants", "4", "--rounds", "3", "--keep", "all"]
    subprocess.run(
        [sys.executable, "-m", "ariba_cli", "simulate", tmp_path / "other", *arguments],
        env=environment(OMP_NUM_THREADS="2"),
        check=True,
        capture_output=True,
    )
    assert contents(tmp_path / "one") == contents(tmp_path / "other")
    assert len(contents(tmp_path / "one")) == 1 + 3 * (1 + 1 + 4)


def test_another_seed_gives_other_updates() -> None:
    rounds = [
        next(Federation(FederationSettings(participants=4, seed=seed)).rounds()) for seed in (0, 1)
    ]
    one, other = (trained.updates["p0"]["conv1.weight"] for trained in rounds)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("format_name", list(ENCODERS))
def test_rounds_are_sealed_and_follow_each_other(tmp_path: Path, format_name: str) -> None:
    done = simulate(small(Keep(every=2), format_name), tmp_path / "run")
    assert [path.name for path in done.rounds] == ["round_0002", "round_0003"]
    second, third = (inspect_round(open_round(path)) for path in done.rounds)
    for number, found in ((2, second), (3, third)):
        assert (found.seal, found.round, found.kind) == ("intact", number, "weights")
        assert [p.id for p in found.participants] == ["p0", "p1", "p2", "p3"]
        assert {p.format for p in found.participants} == {format_name}
        assert [layer.name for layer in found.layers][:2] == ["conv1.weight", "conv1.bias"]

    def weights(root: Path, name: str) -> dict[str, np.ndarray]:
        found = open_round(root)
        members = {member.id: member for member in found.participants}
        member = found.global_model if name == "global" else members[name]
        assert member is not None
        model = found.open(member)
        return {key: value.astype(np.float32) for key, value in model.floats()}

    updates = {f"p{i}": weights(done.rounds[0], f"p{i}") for i in range(4)}
    expected = next_model(weights(done.rounds[0], "global"), updates, 1.0)
    for name, values in weights(done.rounds[1], "global").items():
        np.testing.assert_array_equal(values, expected[name])


def test_the_run_file_repeats_the_run(tmp_path: Path) -> None:
    done = simulate(small(Keep()), tmp_path / "run")
    run = read_run(done.rounds[0])
    assert (run.settings, run.attack) == (SMALL, None)
    assert len(run.curve) == 3
    assert run.versions["torch"]
    assert run.versions["engine"] == "vectorised on cpu"
    federation = Federation(SMALL)
    run.check_data(federation)
    assert run.holdings == federation.holdings
    assert sum(map(sum, run.holdings.values())) == len(federation.dataset.train_labels)
    assert encode_run(federation, None, done.curve) == (tmp_path / "run/run.json").read_bytes()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("eta", 0.0),
        ("eta", True),
        ("eta", 10**400),
        ("participants", -4),
        ("participants", "many"),
        ("dataset", 7),
        ("dataset", "imagenet"),
        ("model", "vit"),
        ("partition", "iid:2"),
        ("training", None),
        ("training", {"epochs": 1}),
        ("more", 1),
    ],
)
def test_a_run_file_that_is_none_is_refused(tmp_path: Path, key: str, value: object) -> None:
    content = json.loads(encode_run(Federation(SMALL), None, []))
    content["settings"][key] = value
    (tmp_path / "run.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="was not written by ariba simulate"):
        read_run(tmp_path / "round_0001")


def test_a_whole_number_is_a_real_number_too(tmp_path: Path) -> None:
    attack = AttackSettings(sigma=50, rho=0)
    (tmp_path / "run.json").write_bytes(encode_run(Federation(SMALL), attack, []))
    assert read_run(tmp_path / "round_0001").attack == attack


def test_a_participant_without_samples_sends_back_what_it_was_given() -> None:
    federation = Federation(SMALL)
    start = federation.initial_weights()
    task = federation.honest_task("p0", 1)
    nothing = replace(task, images=task.images[:0], targets=task.targets[:0])
    empty, full = federation.engine.train(start, [nothing, task])
    assert any(not np.array_equal(values, start[name]) for name, values in full.items())
    for name, values in empty.items():
        np.testing.assert_array_equal(values, start[name])


@pytest.mark.parametrize(
    ("text", "kept"), [("last", [5]), ("all", [1, 2, 3, 4, 5]), ("every:2", [2, 4, 5])]
)
def test_which_rounds_are_kept(text: str, kept: list[int]) -> None:
    keep = parse_keep(text)
    assert [number for number in range(1, 6) if keep.keeps(number, 5)] == kept


@pytest.mark.parametrize("text", ["", "every", "every:", "every:0", "every:-1", "2"])
def test_which_rounds_cannot_be_kept(text: str) -> None:
    with pytest.raises(UsageError, match="every:10"):
        parse_keep(text)


def test_every_data_set_has_its_defaults() -> None:
    assert list(DEFAULTS) == list(DATASETS)
    assert all(default.model in MODELS for default in DEFAULTS.values())


def test_an_odd_number_of_samples_is_refused(tmp_path: Path) -> None:
    content = json.loads(encode_run(Federation(SMALL), None, []))
    for count in (-1, 10**400, 1.0, "3"):
        content["participants"]["p0"]["samples_by_class"][0] = count
        (tmp_path / "run.json").write_text(json.dumps(content))
        with pytest.raises(InputError, match="was not written by ariba simulate"):
            read_run(tmp_path / "round_0001")


def test_run_files_of_earlier_layouts_are_read(tmp_path: Path) -> None:
    attack = AttackSettings(k=1)
    content = json.loads(encode_run(Federation(SMALL), attack, []))
    (tmp_path / "run.json").write_text(json.dumps(content))
    now = read_run(tmp_path / "round_0001")
    for key in ("against", "tries", "least_backdoor"):
        del content["attack"][key]
    (tmp_path / "run.json").write_text(json.dumps(content | {"layout": 5}))
    assert read_run(tmp_path / "round_0001") == now
    for key in ("rule", "rule_arguments", "sampled", "failing"):
        del content["settings"][key]
    (tmp_path / "run.json").write_text(json.dumps(content | {"layout": 4}))
    assert read_run(tmp_path / "round_0001") == now
    del content["attack"]["arguments"]
    (tmp_path / "run.json").write_text(json.dumps(content | {"layout": 3}))
    assert read_run(tmp_path / "round_0001") == now
    del content["base_sha256"], content["settings"]["lora"]
    for one in (content["settings"], content["attack"]):
        del one["training"]["momentum"], one["training"]["weight_decay"]
    (tmp_path / "run.json").write_text(json.dumps(content | {"layout": 2}))
    assert read_run(tmp_path / "round_0001") == now


@pytest.mark.parametrize("value", ["x", [1], {"deviation": [1]}, {"deviation": float("nan")}])
def test_odd_arguments_of_strategies_are_refused(tmp_path: Path, value: object) -> None:
    content = json.loads(encode_run(Federation(SMALL), AttackSettings(k=1), []))
    content["attack"]["arguments"] = value
    (tmp_path / "run.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="was not written by ariba simulate"):
        read_run(tmp_path / "round_0001")


def test_a_run_file_of_another_layout_says_so(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"layout": 1}')
    with pytest.raises(InputError, match="has layout 1, but this version of ariba reads 6"):
        read_run(tmp_path / "round_0001")
