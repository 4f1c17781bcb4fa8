"""Participants who sent the global model back are named, and count nowhere."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ariba_cli as ariba_api
from ariba_cli.verdicts.verdict import Verdict
from tests.conftest import Ariba
from tests.models import random_model, write_model

Model = dict[str, np.ndarray]

SETTINGS = [
    {},
    {"layers": "conv2", "k_est": 2},
    {"layers": ("conv1", "fc"), "k_est": "20%"},
    {"detectors": ["mahalanobis", "krum", "norm", "median-distance", "sign", "foolsgold"]},
]
ROUND_OF = 16
IDLE = ("p03", "p07", "p10", "p15")


def trained(seed: int, start: Model) -> Model:
    draw = np.random.default_rng(seed)
    return {
        name: values + np.float32(0.1) * draw.standard_normal(values.shape, np.float32)
        for name, values in start.items()
    }


@pytest.fixture
def start() -> Model:
    return random_model(99)


def write_round(root: Path, start: Model, idle: Callable[[Path], None] | None) -> Path:
    """A round of which some send back what they got, or are not there at all."""
    write_model(root / "global.safetensors", start)
    for seed in range(ROUND_OF):
        path = root / f"p{seed:02}.safetensors"
        if path.stem not in IDLE:
            model = trained(seed, start)
            if seed == 1:
                model["conv2.weight"] = start["conv2.weight"] + 9 * model["conv2.weight"]
            write_model(path, model)
        elif idle is not None:
            idle(path)
    return root


def without_inputs(verdict: Verdict) -> list[object]:
    """Return the results of detectors and the decision."""
    return [verdict.detectors, verdict.decision, verdict.ranking, verdict.coverage]


def findings(verdict: Verdict) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.kind, one.group) for one in verdict.findings if one.kind == "unchanged"]


@pytest.mark.parametrize("settings", SETTINGS, ids=range(len(SETTINGS)))
def test_the_others_are_scored_as_if_the_idle_were_not_there(
    tmp_path: Path, start: Model, settings: dict[str, object]
) -> None:
    there = write_round(tmp_path / "there", start, lambda path: write_model(path, start))
    away = write_round(tmp_path / "away", start, None)
    found = ariba_api.audit(there, **settings)  # type: ignore[arg-type]
    alone = ariba_api.audit(away, **settings)  # type: ignore[arg-type]
    assert without_inputs(found) == without_inputs(alone)
    assert findings(found) == [("unchanged", IDLE)]
    assert findings(alone) == []
    statuses = {one.id: one.status for one in found.inputs}
    assert {name for name, status in statuses.items() if status == "unchanged"} == set(IDLE)
    assert not any(one.kind == "duplicate" for one in found.findings)


def test_whatever_they_wrote_it_in(tmp_path: Path, start: Model) -> None:
    def write(path: Path) -> None:
        if path.stem == "p03":
            write_model(path.with_suffix(".h5"), start, "hdf5")
        elif path.stem == "p07":
            np.savez_compressed(path.with_suffix(".npz"), **start)  # type: ignore[arg-type]
        elif path.stem == "p10":
            write_model(path, {name: values.astype(np.float64) for name, values in start.items()})
        else:
            prefixed = {f"module.{name}": values for name, values in start.items()}
            write_model(path, prefixed)

    found = ariba_api.audit(write_round(tmp_path, start, write))
    assert findings(found) == [("unchanged", IDLE)]


@pytest.mark.parametrize("layer", ["conv1.weight", "conv2.weight", "fc.weight"])
def test_one_value_is_a_change(tmp_path: Path, start: Model, layer: str) -> None:
    def write(path: Path) -> None:
        model = {name: values.copy() for name, values in start.items()}
        model[layer].reshape(-1)[-1] = np.nextafter(
            model[layer].reshape(-1)[-1], np.float32(9), dtype=np.float32
        )
        write_model(path, model)

    assert layer in start
    assert findings(ariba_api.audit(write_round(tmp_path, start, write))) == []


def test_without_the_global_model_nothing_is_known(tmp_path: Path, start: Model) -> None:
    root = write_round(tmp_path, start, lambda path: write_model(path, start))
    (root / "global.safetensors").unlink()
    assert findings(ariba_api.audit(root)) == []


def test_nan_is_no_unchanged_value(tmp_path: Path, start: Model) -> None:
    start["conv1.weight"][0, 0, 0, 0] = np.nan
    found = ariba_api.audit(
        write_round(tmp_path, start, lambda path: write_model(path, start)),
        layers="conv2",
        k_est=2,
    )
    assert findings(found) == []


def test_differences_of_zero_are_unchanged(start: Model) -> None:
    updates = {f"p{seed}": trained(seed, start) for seed in range(6)}
    updates["p2"] = {name: np.zeros_like(values) for name, values in start.items()}
    found = ariba_api.score(updates, deltas=True)
    assert findings(found) == [("unchanged", ("p2",))]
    assert findings(ariba_api.score(updates, global_model=start)) == []


def test_two_who_trained_are_too_few_and_are_not_named(
    tmp_path: Path, start: Model, ariba: Ariba
) -> None:
    write_model(tmp_path / "in" / "global.safetensors", start)
    for seed in range(10):
        model = trained(seed, start) if seed < 2 else start
        write_model(tmp_path / "in" / f"client_{seed}.safetensors", model)
    for options in ((), ("--layer", "conv2"), ("--detector", "krum")):
        done = ariba("audit", tmp_path / "in", *options)
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr == (
            b"error: 2 of 10 participants trained, and an audit needs at least 3; client_2, "
            b"client_3, client_4, client_5, client_6, client_7, client_8, client_9 sent the "
            b"global model back unchanged\n"
        )


def test_a_layer_that_nobody_trained_is_one_finding(tmp_path: Path, start: Model) -> None:
    write_model(tmp_path / "global.safetensors", start)
    for seed in range(6):
        model = {**trained(seed, start), "conv1.weight": start["conv1.weight"]}
        write_model(tmp_path / f"p{seed}.safetensors", model)
    found = ariba_api.audit(tmp_path).findings
    other = ("unsealed", "few-fragments")
    assert [(one.kind, one.layer) for one in found if one.kind not in other] == [
        ("degenerate", "conv1.weight"),
        ("few-participants", None),
    ]


def test_where_nobody_trained_nobody_is_ranked(tmp_path: Path, start: Model) -> None:
    write_model(tmp_path / "global.safetensors", start)
    for seed in range(6):
        write_model(tmp_path / f"p{seed}.safetensors", start)
    found = ariba_api.audit(tmp_path)
    assert found.ranking == ()
    assert {one.kind for one in found.findings} >= {"degenerate", "unsealed"}
    assert findings(found) == []


def test_the_report_is_verified_and_read_again(tmp_path: Path, start: Model, ariba: Ariba) -> None:
    root = write_round(tmp_path / "in", start, lambda path: write_model(path, start))
    done = ariba("audit", root, "-f", "json", "-o", "r.json", "--explain", "p03")
    assert (done.returncode, done.stderr) == (0, b"")
    assert ariba("verify", "r.json", root).returncode == 0
    shown = b" ".join(ariba("report", "r.json").stdout.split())
    assert b"unchanged: p03, p07, p10, p15 sent the global model back unchanged: left out" in shown
    assert ariba("report", "r.json", "-f", "html", "-o", "r.html").returncode == 0
    done = ariba("aggregate", root, "--out", "next.safetensors", "--drop", "r.json")
    assert done.returncode == 0
