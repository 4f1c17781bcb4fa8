"""Federations that are attacked while they train, and the messages about them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.evaluation import truth_metrics
from ariba_cli.auditing.settings import AuditSettings, KEst
from ariba_cli.federated.defaults import DEFAULTS
from ariba_cli.federated.federation import FederationSettings, Place
from ariba_cli.federated.training import LocalTraining
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.truth import read_truth
from ariba_cli.runs.forging import forge
from ariba_cli.runs.plan import Keep, Plan
from ariba_cli.runs.run_file import read_run
from ariba_cli.runs.simulation import simulate
from tests.conftest import DATA, Ariba, needs_data
from tests.test_federated import contents
from tests.test_resume import Killed

ATTACKED = Plan(
    settings=FederationSettings(participants=12, rounds=4, seed=2),
    attack=AttackSettings(
        k=2,
        begins=3,
        seed=2,
        training=LocalTraining(optimizer="sgd", epochs=15, batch_size=10, learning_rate=0.05),
    ),
    keep=Keep(every=1),
    format_name="safetensors",
)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "attacked"
    simulate(ATTACKED, out)
    return out


@pytest.mark.usefixtures("quick")
def test_participants_are_honest_until_the_attack_begins(tmp_path: Path) -> None:
    attacked = tmp_path / "attacked"
    simulate(ATTACKED, attacked)
    honest = Plan(settings=ATTACKED.settings, keep=ATTACKED.keep, format_name=ATTACKED.format_name)
    simulate(honest, tmp_path / "honest")
    files, clean = contents(attacked), contents(tmp_path / "honest")
    compromised = read_truth(attacked / "round_0003").compromised
    assert len(compromised) == 2
    differing = {name for name in files if files[name] != clean.get(name)}
    first = {f"round_0003/participants/{name}.safetensors" for name in compromised}
    assert {name for name in differing if name.startswith("round_0003/participants")} == first
    assert not any(name.startswith(("round_0001", "round_0002")) for name in differing)
    assert not (attacked / "round_0002" / "truth.json").exists()


@pytest.mark.usefixtures("quick")
def test_it_is_shown_how_the_backdoor_does(tmp_path: Path) -> None:
    told: list[str] = []
    simulate(ATTACKED, tmp_path / "run", progress=lambda what, *_: told.append(what))
    backdoor = read_run(tmp_path / "run" / "round_0004").curve[-2].backdoor_accuracy
    assert backdoor is not None
    assert "backdoor" not in told[0]
    assert told[-1].endswith(f", backdoor {backdoor:.3f}")


def test_the_same_are_compromised_in_every_round(attacked: Path) -> None:
    third, fourth = (read_truth(attacked / f"round_000{number}") for number in (3, 4))
    assert third.compromised == fourth.compromised
    assert fourth.attack["before"] == third.attack["after"]


def test_the_run_file_has_the_attack_and_its_curve(attacked: Path) -> None:
    run = read_run(attacked / "round_0004")
    assert run.attack == ATTACKED.attack
    truth = read_truth(attacked / "round_0003").attack
    after = [point.backdoor_accuracy for point in run.curve]
    assert after[2] == pytest.approx(truth["after"]["backdoor_accuracy"], abs=1e-6)
    assert after[1] == pytest.approx(truth["before"]["backdoor_accuracy"], abs=1e-6)
    assert after[2] is not None
    assert after[2] > 0.5


def test_an_attacked_run_that_was_stopped_is_finished_to_the_byte(
    attacked: Path, tmp_path: Path
) -> None:
    def stop(said: str) -> None:
        if said.startswith("round 3:"):
            raise Killed

    with pytest.raises(Killed):
        simulate(ATTACKED, tmp_path / "again", say=stop)
    simulate(ATTACKED, tmp_path / "again", resume=True)
    assert contents(tmp_path / "again") == contents(attacked)


def test_a_participant_without_samples_is_said_and_sends_the_global_model_back(
    ariba: Ariba, tmp_path: Path
) -> None:
    options = ["--participants", "30", "--rounds", "1", "--partition", "dirichlet:0.01"]
    done = ariba("simulate", "run", *options, "--keep", "all", "-v")
    assert done.returncode == 0, done.stderr
    said = done.stderr.decode().splitlines()
    (warning,) = (line for line in said if line.startswith("warning: "))
    assert warning.startswith("warning: these have no samples, and send the global model back: p")
    assert "training all participants at once on cpu" in said
    assert any(line.startswith("round 1: accuracy 0.") for line in said)
    held = json.loads((tmp_path / "run" / "run.json").read_text())["participants"]
    round_ = open_round(tmp_path / "run" / "round_0001")
    assert round_.global_model is not None
    start = dict(round_.open(round_.global_model).floats())
    for member in round_.participants:
        sent = dict(round_.open(member).floats())
        same = all(np.array_equal(sent[name], start[name]) for name in start)
        assert same == (sum(held[member.id]["samples_by_class"]) == 0)
        assert same == (member.id in warning)


def test_a_majority_of_attackers_is_warned_about(ariba: Ariba) -> None:
    options = ["--participants", "8", "--rounds", "1", "--attack", "1", "--k", "4"]
    done = ariba("simulate", "run", *options)
    assert done.returncode == 0, done.stderr
    assert b"warning: 4 of 8 participants are compromised, half or more" in done.stderr
    assert b"backdoor accuracy " in done.stderr


def test_training_that_diverges_is_one_line_and_not_a_round(ariba: Ariba, tmp_path: Path) -> None:
    options = ["--participants", "3", "--rounds", "2", "--epochs", "1"]
    for asked in (["--learning-rate", "1e30"], ["--eta", "1e300"]):
        done = ariba("simulate", "run", *options, *asked)
        assert done.returncode == 2
        assert done.stderr == (
            b"error: training has diverged: not all weights are finite; use a smaller "
            b"--learning-rate or --eta; remove 'run.partial' to start again\n"
        )
        shutil.rmtree(tmp_path / "run.partial")
    done = ariba("simulate", "run", *options, "--batch-size", "9" * 30)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@needs_data
def test_attacks_on_mnist_work_and_are_caught(tmp_path: Path) -> None:
    place = Place(data_dir=DATA)
    default = DEFAULTS["mnist"]
    settings = FederationSettings(dataset="mnist", rounds=6, seed=1, training=default.training)
    plan = Plan(settings=settings, keep=Keep(), format_name="safetensors")
    (path,) = simulate(plan, tmp_path / "run", place=place).rounds
    run = read_run(path)
    assert run.curve[-1].accuracy > 0.93
    for trigger, least in (("pattern", 0.9), ("targeted", 0.7), ("semantic", 0.2)):
        attack = AttackSettings(trigger=trigger, training=default.attack)
        forged = forge(open_round(path), run, tmp_path / trigger, attack, place=place)
        assert forged.after.backdoor_accuracy >= least
        verdict = audit(
            open_round(tmp_path / trigger), AuditSettings(layers=("conv2",), k_est=KEst.parse(10))
        )
        found = truth_metrics(verdict, forged.compromised).detectors["mahalanobis"]
        assert found.caught == 1.0
