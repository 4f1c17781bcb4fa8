"""The matrix of attacks: its rounds are made once and measured, and a page is made of them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from benchmarks.detection.adaptive import TRICKS, Known, Update, changed
from benchmarks.detection.command import PAGE, PUBLISHED, RECORDS, publish, run
from benchmarks.detection.figures import GOALS, allowed, of_clean, of_detector, of_panel, of_rule
from benchmarks.detection.matrix import ALL_ATTACKS, CLEAN, MATRICES, Attack, Kind, Matrix
from benchmarks.detection.measuring import measured
from benchmarks.detection.page import page
from benchmarks.detection.rules import RULES, Sent
from benchmarks.honest import Base, honest_rounds
from benchmarks.records import Record, is_one_method, latest, method_digest, read_records
from benchmarks.seeds import DEVELOPMENT, FIRST_TO_REPORT, REPORTING, checked
from docs.make import DETECTION, detection_page
from docs.make import RECORDS as REPORTED

ATTACKS = (
    Attack(family="boosted ×10", k=2, strategies=("replacement",), boost=10),
    Attack(family="adaptive both", k=2, strategies=("norm-matching",), tricks=("along", "bias")),
    Attack(family="label flipping", k=2, strategies=("label-flipping",)),
    Attack(family="norm-matched for ten rounds", k=2, strategies=("norm-matching",), rounds=2),
)
BASE = Base(participants=12, rounds=2, every=1)
UNKNOWN = replace(BASE, model="no-such-model")
TINY = Matrix(DEVELOPMENT, (Kind(BASE, ATTACKS), Kind(UNKNOWN, ATTACKS)), (3,))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny matrix after it has run."""
    out = tmp_path_factory.mktemp("detection")
    run(TINY, out)
    return out


def records_of(out: Path) -> dict[str, Record]:
    return {one["key"]: one for one in read_records(out / RECORDS)}


def test_every_round_is_measured(finished: Path) -> None:
    found = records_of(finished)
    name = f"{BASE.name}-s3"
    assert set(found) == {
        f"{name}/clean-round_0001",
        f"{name}/{CLEAN}",
        *(f"{name}/{attack.name}" for attack in ATTACKS),
    }
    boosted = found[f"{name}/boosted-x10-k2"]
    assert boosted["purpose"] == DEVELOPMENT
    assert boosted["auc"]["norm"] == 1.0
    assert boosted["panel"]["found"]["0.05"] == 2
    assert set(boosted["rules"]) == set(RULES)
    assert 0 <= boosted["works_before"] <= 1
    assert "auc" not in found[f"{name}/{CLEAN}"]
    matched = found[f"{name}/adaptive-both-k2"]["auc"]["norm"]
    assert matched == pytest.approx(0.5, abs=0.2)


def test_who_sends_nothing_does_not_attack(tmp_path: Path) -> None:
    uneven = replace(BASE, partition="dirichlet:0.01", rounds=1)
    (path,) = honest_rounds(uneven, 3, tmp_path, None)
    model = load_file(path / "global.safetensors")
    sent = {one.stem: load_file(one) for one in (path / "participants").iterdir()}
    idle = [
        name
        for name, own in sent.items()
        if all(np.array_equal(own[key], values) for key, values in model.items())
    ]
    assert 0 < len(idle) < len(sent)
    found = measured(path, sent)
    assert found["acting"] == len(sent) - len(idle)
    assert "auc" not in measured(path, idle)


def test_what_is_finished_is_not_made_again(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (finished / RECORDS).read_bytes()
    # A run that is killed leaves a part of a line.
    (finished / RECORDS).write_bytes(before[:-20])
    monkeypatch.setattr("benchmarks.detection.making.forge", None)
    run(TINY, finished)
    said = capsys.readouterr().err
    assert "no-such-model-adam-iid-n12-e1: left out, ariba simulate knows no no-such" in said
    assert said.count(" s\n") == 1
    assert len(records_of(finished)) == before.count(b"\n")
    run(TINY, finished)
    assert " s\n" not in capsys.readouterr().err


def test_another_method_measures_the_same_rounds_again(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = read_records(finished / RECORDS)
    monkeypatch.setattr("benchmarks.detection.command.method_digest", lambda: "other")
    monkeypatch.setattr("benchmarks.detection.making.forge", None)
    run(TINY, finished)
    both = read_records(finished / RECORDS)
    assert len(both) == 2 * len({one["key"] for one in old})
    own = latest(both, "other")
    assert [one["key"] for one in own] == sorted(one["key"] for one in own)
    assert {one["method"] for one in own} == {"other"}


def test_what_is_published_is_its_page(finished: Path, tmp_path: Path) -> None:
    records = latest(read_records(finished / RECORDS), method_digest())
    publish(records, tmp_path)
    lines = (tmp_path / PUBLISHED).read_bytes().splitlines()
    text = (tmp_path / PAGE).read_text("utf-8")
    assert page([json.loads(line) for line in lines]) == text
    assert "They are not\nresults" in text
    assert "| digits, cnn, adam, iid, n = 12 | 2 | 4 |" in text
    assert "results" not in page([{**one, "purpose": REPORTING} for one in records])[:900]


def test_the_page_is_that_of_the_run_beside_it() -> None:
    if not REPORTED.exists():
        pytest.skip("no run is reported yet")
    assert DETECTION.read_text("utf-8") == detection_page()
    records = [json.loads(line) for line in REPORTED.read_bytes().splitlines()]
    assert {one["purpose"] for one in records} == {REPORTING}
    assert all(one["seed"] >= FIRST_TO_REPORT for one in records)
    assert is_one_method({one["method"] for one in records})


@pytest.mark.parametrize(("purpose", "seed"), [(DEVELOPMENT, 1000), (REPORTING, 999)])
def test_seeds_are_kept_apart(purpose: str, seed: int) -> None:
    with pytest.raises(AssertionError, match=f"seed {seed} is not for {purpose}"):
        Matrix(purpose, (), (seed,))
    with pytest.raises(AssertionError, match="not for"):
        checked(purpose, (seed,))


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
def test_no_two_rounds_of_a_matrix_have_the_same_name(matrix: Matrix) -> None:
    names = [kind.base.name for kind in matrix.kinds]
    assert len(set(names)) == len(names)
    for kind in matrix.kinds:
        attacks = [attack.name for attack in kind.attacks]
        assert len(set(attacks)) == len(attacks)
        assert all(attack.k < kind.base.participants for attack in kind.attacks)


def record(**changes: object) -> Record:
    """A record of a round of which half of the four compromised were found."""
    own: Record = {
        "key": "a",
        "dataset": "digits",
        "model": "cnn",
        "optimizer": "adam",
        "partition": "iid",
        "participants": 50,
        "seed": 1,
        "attack": "boosted ×10",
        "trigger": "pattern",
        "k": 4,
        "acting": 4,
        "works_after": 0.75,
        "auc": {"panel": 0.5, "mahalanobis": None},
        "panel": {"found": {"0.01": 0, "0.05": 2}, "false": {"0.01": 0, "0.05": 1}},
        "rules": {name: {"found": 4, "false": 23} for name in RULES},
        "purpose": REPORTING,
        "method": "m",
        "version": "1",
    }
    return {**own, **changes}


def test_figures_are_means_over_rounds_and_shares_of_participants() -> None:
    other = record(
        k=6, acting=6, participants=60, works_after=0.25, auc={"panel": 1.0, "mahalanobis": 0.25}
    )
    found = of_panel([record(), other])
    assert (found.rounds, found.auc, found.found, found.works) == (2, 0.75, 0.4, 0.5)
    assert found.false == 2 / 100
    assert of_detector([record(), other], "mahalanobis").auc == 0.25
    assert of_rule([record()], "flame").false == 0.5
    assert of_panel([]).auc is None
    # Three of 50 are named, 0.3% of all honest ones may be; and three of 60.
    assert allowed([record()], "0.05") == pytest.approx(0.003)
    assert allowed([record(), other], "0.05") == pytest.approx((46 * 0.003 + 54 * 0.0025) / 100)
    assert allowed([], "0.05") is None
    clean = of_clean(
        [record(k=0, acting=0, attack=CLEAN), record(k=0, acting=0, attack=CLEAN)], "0.05"
    )
    assert (clean.rounds, clean.naming, clean.participants, clean.named) == (2, 2, 100, 2)


def test_goals_are_about_the_rounds_that_they_name() -> None:
    def of(one: Record) -> list[int]:
        return [place for place, goal in enumerate(GOALS) if goal.which(one)]

    assert of(record()) == [0, 1]
    assert of(record(attack="norm-matched", works_after=0.0)) == [2]
    assert of(record(attack="norm-matched", works_after=0.2, partition="dirichlet:0.1")) == [3]
    assert of(record(attack="norm-matched", k=1, works_after=0.2)) == [3]
    assert of(record(model="resnet18", works_after=0.0)) == [4]
    assert of(record(model="transformer-lora4")) == [0, 5]
    assert of(record(attack="adaptive both", works_after=0.0)) == [6]


def test_a_goal_that_is_missed_is_bold() -> None:
    text = page([record(), record(key="b", attack=CLEAN, k=0, acting=0)])
    line = next(one for one in text.splitlines() if one.startswith("| boosted and reduced"))
    assert "**0.500** (≥ 1.000) | **50.0%** (≥ 98%) | **2.2%** (≤ 0.5%) | 0.3%" in line
    assert "Clean rounds in which anybody is flagged at .05: 1 of 1, **100.0%** (≤ 6%)" in text


def federation(seed: int = 0) -> tuple[Update, Known]:
    """A compromised update, and twelve honest ones."""
    draw = np.random.default_rng(seed)
    shapes = {"conv.weight": (4, 2, 3, 3), "fc.weight": (10, 8), "fc.bias": (10,)}

    def update() -> Update:
        return {name: draw.standard_normal(shape) for name, shape in shapes.items()}

    model, honest = update(), [update() for _ in range(12)]
    own = {name: 3 * values + model[name] for name, values in update().items()}
    return own, Known(model, honest, "fc")


def cosine(update: Update, known: Known, name: str) -> float:
    one, other = update[name].ravel(), known.model[name].ravel()
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def agreement(update: Update) -> float:
    rows = np.linalg.norm(update["fc.weight"], axis=1)
    return float(np.sqrt(np.mean((update["fc.bias"] / rows) ** 2)))


@pytest.mark.parametrize("trick", TRICKS)
def test_a_trick_takes_away_what_a_sign_looks_for(trick: str) -> None:
    own, known = federation()
    found = changed(own, known, [trick])
    lengths = [np.sqrt(sum((v**2).sum() for v in one.values())) for one in known.honest]
    length = np.sqrt(sum((values**2).sum() for values in found.values()))
    assert length == pytest.approx(np.median(lengths))
    honest = [agreement(one) for one in known.honest]
    names = ("conv.weight", "fc.weight")
    usual = {name: np.median([cosine(one, known, name) for one in known.honest]) for name in names}
    holds = {
        "along": all(np.isclose(cosine(found, known, name), usual[name]) for name in names),
        "sums": np.abs(found["fc.weight"].sum(axis=0)).max() < 1e-12,
        "bias": np.isclose(agreement(found), np.median(honest)),
    }
    assert [name for name, one in holds.items() if one] == [trick]


@pytest.mark.parametrize("name", RULES)
def test_a_rule_leaves_out_whoever_is_far_from_all(name: str) -> None:
    draw = np.random.default_rng(0)
    updates = 1 + 0.1 * draw.standard_normal((20, 400))
    updates[7] = -10
    model = draw.standard_normal(400)
    sent = Sent(model.astype(np.float32), updates.astype(np.float32), slice(300, 380))
    out = RULES[name](sent)
    assert out[7]
    assert out.sum() <= 10


@pytest.mark.parametrize("name", RULES)
def test_a_rule_says_something_of_equal_updates(name: str) -> None:
    sent = Sent(np.ones(40, np.float32), np.ones((10, 40), np.float32), slice(30, 38))
    assert not RULES[name](sent).any()


def test_attacks_are_made_as_their_families_say() -> None:
    settings = BASE.settings(7)
    by_name = {attack.name: attack.settings(settings, 10) for attack in ALL_ATTACKS}
    assert by_name["boosted-x10-k5"].sigma == 50
    assert by_name["boosted-x10-k5"].training.optimizer == "sgd"
    assert by_name["norm-matched-k3"].training == settings.training
    assert {one.target_class for one in by_name.values()} == {7}
    longest = next(one for one in ALL_ATTACKS if one.rounds > 1)
    run_of_forty = replace(settings, rounds=40)
    assert longest.settings(run_of_forty, 10).begins == 41 - longest.rounds
