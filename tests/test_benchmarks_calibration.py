"""The calibration: tails that fit, rounds that are made once, and a file that ariba reads."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ariba_cli.scoring.panel import tails
from ariba_cli.scoring.panel.fitting import fit_tail
from ariba_cli.scoring.panel.signs import SIGNS
from ariba_cli.scoring.panel.tails import Calibration, Tail
from benchmarks.calibration.bases import SEEDS, fitted_bases, held_bases
from benchmarks.calibration.command import calibrate
from benchmarks.calibration.fitting import fit_tails
from benchmarks.calibration.readings import clean_rounds
from benchmarks.honest import Base
from benchmarks.seeds import DEVELOPMENT, checked

BASE = Base(participants=12, rounds=2, every=1)
OTHER = replace(BASE, optimizer="sgd", participants=15)
UNKNOWN = replace(BASE, model="no-such-model")


def test_tails_are_fitted_and_written(tmp_path: Path) -> None:
    file = tmp_path / "tails.json"
    chosen = (BASE, OTHER, UNKNOWN, replace(BASE, dataset="mnist"))
    fit = calibrate(chosen, (5,), tmp_path, file, None)
    document = json.loads(file.read_bytes())
    assert document["participants"] == 2 * 12 + 2 * 15
    assert document["shape"] == fit.calibration.shape < 1
    assert document["provenance"]["rounds"] == 4
    assert document["provenance"]["left_out"] == {
        UNKNOWN.name: "ariba simulate knows no no-such-model",
        "mnist-cnn-adam-iid-n12-e1": "no --data-dir was given",
    }
    # Every tail that occurs, whatever signs there are; and one for each number of signs.
    read = {
        tail
        for base in (BASE, OTHER)
        for one in clean_rounds(base, 5, tmp_path, None)
        for tail in one.readings
    }
    assert {name for name in document["tails"] if not name.startswith(tails.OF_STANDING)} == read
    assert {name.partition(":")[0] for name in read} <= set(SIGNS)
    assert all(
        own["rare"] > own["median"] and own["excess"] > 0 for own in document["tails"].values()
    )
    # The fit is read as it was written, and made again without training.
    again = json.dumps(document)
    models = sorted((tmp_path / "honest").rglob("*.safetensors"))
    for path in models:
        path.unlink()
    assert calibrate(chosen, (5,), tmp_path, file, None) == fit
    assert json.dumps(json.loads(file.read_bytes())) == again


def test_a_tail_is_that_of_the_values() -> None:
    draw = np.random.default_rng(0)
    # Half of the weight is below 0, and above it is an exponential tail of mean 2.
    values = np.where(draw.random(200_000) < 0.5, -1.0, draw.exponential(2.0, 200_000))
    found = fit_tail([values])
    assert found.rare == pytest.approx(2 * np.log(0.5 / 0.05), rel=0.02)
    assert found.excess == pytest.approx(2.0, rel=0.03)
    point = found.rare + 2 * np.log(5)
    assert found.chance(np.array([point]))[0] == pytest.approx(0.01, rel=0.05)


def test_every_base_counts_the_same() -> None:
    small, large = np.zeros(10), np.arange(1000.0)
    assert fit_tail([small, large]).median < fit_tail([large]).median / 10
    left = fit_tails({"a": {"one": small, "two": large}}, ["one"])["a"]
    assert left == fit_tail([large])


def test_no_tail_is_narrower_than_what_a_floor_leaves() -> None:
    assert fit_tail([np.zeros(100)]) == Tail(0.0, 1.645, 0.6)


def test_a_network_that_has_collapsed_is_not_the_tail() -> None:
    values = np.random.default_rng(0).exponential(size=20_000)
    collapsed = values.copy()
    collapsed[:5] = 1000.0
    usual, found = fit_tail([values]), fit_tail([collapsed])
    assert found.excess == pytest.approx(usual.excess, rel=0.05)
    assert usual.excess == pytest.approx(1, rel=0.1)


def test_standing_by_a_number_of_signs_that_is_not_known_takes_the_next() -> None:
    known = {"standing:3": Tail(0.0, 1.0, 1.0), "standing:5": Tail(0.0, 2.0, 1.0)}
    by = Calibration(known, 0.0, 1, "built-in")
    by_signs = {signs: float(by.of_standing(signs, np.array([4.0]))[0]) for signs in range(1, 8)}
    assert by_signs[1] == by_signs[2] == by_signs[3] == pytest.approx(0.05 * np.exp(-3))
    assert (
        by_signs[4] == by_signs[5] == by_signs[6] == by_signs[7] == pytest.approx(0.05 * np.exp(-2))
    )


def test_the_tails_of_ariba_know_every_sign() -> None:
    assert {name.partition(":")[0] for name in tails.BUILT_IN.tails} == {*SIGNS, "standing"}


def test_no_base_has_the_name_of_another_and_no_seed_is_for_reporting() -> None:
    names = [base.name for base in (*fitted_bases(), *held_bases())]
    assert len(set(names)) == len(names)
    assert checked(DEVELOPMENT, SEEDS) == SEEDS
