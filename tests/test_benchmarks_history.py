"""The benchmark of persistent attackers: what it measures, and its page."""

from pathlib import Path

import pytest

from benchmarks.detection.matrix import CLEAN
from benchmarks.history.matrix import ATTACKED, ATTACKS, BASES, LEAD, MATRICES
from benchmarks.history.measuring import measured
from benchmarks.history.page import page
from benchmarks.records import Record
from docs.make import HISTORY, HISTORY_RECORDS, history_page
from tests.made_runs import ATTACKERS, write_run


def record(**fields: object) -> Record:
    return {
        "key": "a",
        "dataset": "digits",
        "partition": "iid",
        "attack": ATTACKS[0].family,
        "k": 1,
        "works": [0.1, 0.5],
        "auc": 1.0,
        "auc_foolsgold": 0.5,
        "auc_alone": [1.0, 0.25],
        "found": 1,
        "found_alone": 0.5,
        "false": 0,
        "false_alone": 0.25,
        "participants": 50,
        "rounds": ATTACKED,
        "seed": 6001,
        "version": "1",
        "method": "m",
        "began": [0],
    } | fields


def test_every_attack_goes_on_for_all_rounds_and_leaves_honest_ones_before() -> None:
    names = [attack.name for attack in ATTACKS]
    assert len(set(names)) == len(names) == 9
    assert all(attack.rounds == ATTACKED for attack in ATTACKS)
    assert all(base.rounds >= ATTACKED + LEAD and base.every == 1 for base in BASES)
    assert not set(MATRICES["reporting"].seeds) & set(MATRICES["development"].seeds)


def test_what_is_measured_is_held_against_the_truth(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 6, begins=3)
    rounds = sorted(run.iterdir())
    found = measured(rounds, ATTACKERS)
    assert (found["found"], found["false"], found["auc"]) == (2, 0, 1.0)
    assert found["began"] == [2, 2]
    assert found["found_alone"] == pytest.approx(2 * 4 / 6, abs=1e-4)
    assert len(found["auc_alone"]) == 6
    other = measured(rounds, ["p00", "p01"])
    assert (other["found"], other["false"]) == (0, 2)


def test_the_page_says_what_was_missed() -> None:
    records = [
        record(),
        record(auc=0.5, found=0),
        record(lead=LEAD, began=[LEAD + 1], works=[0.5]),
        record(attack=CLEAN, k=0, rounds=32, false=1),
    ]
    text = page(records)
    row = next(line for line in text.splitlines() if line.startswith("| digits"))
    assert row == (
        "| digits | iid | boosted ×10 | 1 | 2 | 50 | 0.625, 0.25 | 0.750 | 0.500 | 50% | 50% "
        "| 0.0% |"
    )
    assert "**AUC 0.750 (≥ 0.98)**, **found 50% (≥ 90%)**, honest flagged 0.00% (≤ 1%)" in text
    assert "the right first round for 0 of them, and is at most one round off for 1" in text
    assert (
        "whole runs (digits iid): 1 runs of 32 rounds in all, 1 of 50 participants flagged" in text
    )


def test_the_page_in_the_documentation_is_that_of_its_records() -> None:
    if HISTORY_RECORDS.exists():
        assert HISTORY.read_text("utf-8") == history_page()
