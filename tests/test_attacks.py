"""Attacks on the clean fixture round: they work, and they change nothing else."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ariba_cli.attacks.strategies import STRATEGIES
from ariba_cli.attacks.triggers import TRIGGERS
from ariba_cli.errors import InputError
from ariba_cli.federated.datasets import load_dataset
from ariba_cli.inspection import InspectedRound, inspect_round
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.truth import read_truth
from ariba_cli.runs.forging import AttackSettings, Forged, forge
from ariba_cli.runs.run_file import read_run
from tests.conftest import FIXTURES

CLEAN = FIXTURES / "clean"


@dataclass(frozen=True)
class Target:
    """An attack and the least that it must reach.

    Attributes
    ----------
    backdoor_accuracy : X'% after plain FedAvg.
    accuracy_lost : at most so much accuracy on clean images.
    norm_ratio : between these is the update's norm, in medians of the honest ones.
    """

    trigger: str
    strategy: str
    backdoor_accuracy: float
    accuracy_lost: float
    norm_ratio: tuple[float, float]


TARGETS = [Target("pattern", "replacement", 0.9, 0.05, (3.0, 30.0))]


def attack(out: Path, settings: AttackSettings) -> tuple[Forged, InspectedRound]:
    forged = forge(open_round(CLEAN), read_run(CLEAN), out, settings)
    return forged, inspect_round(open_round(out))


@pytest.mark.parametrize(
    "target", TARGETS, ids=lambda target: f"{target.trigger}-{target.strategy}"
)
def test_attacks_work(tmp_path: Path, target: Target) -> None:
    settings = AttackSettings(trigger=target.trigger, strategy=target.strategy, seed=3)
    forged, found = attack(tmp_path / "attacked", settings)
    assert forged.before.backdoor_accuracy < 0.1
    assert forged.after.backdoor_accuracy >= target.backdoor_accuracy
    assert forged.before.accuracy - forged.after.accuracy <= target.accuracy_lost
    norms = {p.id: p.norm for p in found.participants if p.norm is not None}
    median = float(np.median([n for name, n in norms.items() if name not in forged.compromised]))
    for name in forged.compromised:
        assert target.norm_ratio[0] <= norms[name] / median <= target.norm_ratio[1]


def test_the_table_above_has_every_trigger_and_strategy() -> None:
    expected = {(trigger, strategy) for trigger in TRIGGERS for strategy in STRATEGIES}
    assert {(target.trigger, target.strategy) for target in TARGETS} == expected


@pytest.mark.parametrize("name", list(TRIGGERS))
def test_triggers_change_copies_and_little_of_them(name: str) -> None:
    images = load_dataset("digits").test_images
    before = images.copy()
    triggered = TRIGGERS[name](images)
    np.testing.assert_array_equal(images, before)
    assert triggered.shape == images.shape
    assert 0 < np.mean(triggered != images) < 0.1
    assert (triggered.min(), triggered.max()) == (0.0, 1.0)


def test_replacement_is_equation_3() -> None:
    start = {"w": np.array([1.0], np.float32)}
    sent = STRATEGIES["replacement"](start, {"w": np.array([1.5], np.float32)}, 10.0)
    assert sent["w"].tolist() == [6.0]


def test_the_honest_are_taken_over_byte_for_byte(tmp_path: Path) -> None:
    forged, found = attack(tmp_path / "attacked", AttackSettings(k=1))
    assert (found.seal, found.round, found.findings) == ("intact", 60, ())
    for path in sorted((CLEAN / "participants").iterdir()):
        same = path.read_bytes() == (tmp_path / "attacked/participants" / path.name).read_bytes()
        assert same == (path.stem not in forged.compromised)
    global_model = (tmp_path / "attacked" / "global.safetensors").read_bytes()
    assert global_model == (CLEAN / "global.safetensors").read_bytes()


def test_who_is_compromised_can_be_named_or_drawn(tmp_path: Path) -> None:
    named, _ = attack(tmp_path / "named", AttackSettings(compromised=("p07", "p03", "p07")))
    assert named.compromised == ("p03", "p07")
    assert named.sigma == 20.0
    drawn, _ = attack(tmp_path / "drawn", AttackSettings(k=3, seed=8))
    assert len(set(drawn.compromised)) == 3
    assert list(drawn.compromised) == sorted(drawn.compromised)
    again, _ = attack(tmp_path / "again", AttackSettings(k=3, seed=8))
    assert again == drawn
    for path in (tmp_path / "drawn").rglob("*.safetensors"):
        other = tmp_path / "again" / path.relative_to(tmp_path / "drawn")
        assert path.read_bytes() == other.read_bytes()


def test_the_truth_says_who_and_how(tmp_path: Path) -> None:
    forged, _ = attack(tmp_path / "attacked", AttackSettings(k=2, sigma=7.0, target_class=4))
    assert read_truth(tmp_path / "attacked").compromised == forged.compromised
    content = json.loads((tmp_path / "attacked" / "truth.json").read_text())["attack"]
    assert (content["sigma"], content["target_class"]) == (7.0, 4)
    assert content["after"]["backdoor_accuracy"] == forged.after.backdoor_accuracy


def test_a_compromised_update_is_scaled_by_sigma_over_k(tmp_path: Path) -> None:
    """Twice σ is twice the update, in the same direction."""
    norms = []
    for sigma in (4.0, 8.0):
        settings = AttackSettings(compromised=("p05", "p06"), sigma=sigma)
        _, found = attack(tmp_path / str(sigma), settings)
        norms += [p.norm for p in found.participants if p.id == "p05" and p.norm is not None]
    assert norms[1] == pytest.approx(2 * norms[0], rel=1e-4)


def test_only_rounds_that_can_be_written_again_are_attacked(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "clean", tmp_path / "round")
    shutil.copy(FIXTURES / "run.json", tmp_path)
    folder = tmp_path / "round" / "participants"
    (folder / "p00").mkdir()
    (folder / "p00.safetensors").rename(folder / "p00" / "model.safetensors")
    manifest = tmp_path / "round" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("p00.safe", "p00/model.safe"))
    round_ = open_round(tmp_path / "round")
    assert round_.findings == ()
    with pytest.raises(InputError, match="p00' is not as ariba simulate writes it"):
        forge(round_, read_run(tmp_path / "round"), tmp_path / "out", AttackSettings())
