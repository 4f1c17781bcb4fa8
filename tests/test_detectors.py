"""Every detector: how well it does, and its scores against those of a plain computation."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import ariba_cli as ariba
from ariba_cli.base.errors import AribaError, InputError, UsageError
from ariba_cli.detectors import DETECTORS, WITH_VARIANTS, family, make_detectors
from ariba_cli.detectors.declaration import Need, Scope
from ariba_cli.reports.audit_json import result_digest
from ariba_cli.updates import reading
from ariba_cli.verdicts.verdict import DetectorResult
from tests import update_oracle
from tests.conftest import FIXTURES
from tests.update_oracle import ORACLES

Float64 = npt.NDArray[np.float64]

# Every detector: the AUC that it must reach on all layers of the attacked fixture, and how many
# of the two compromised must be among its four suspects. PyOD's have a table in `test_pyod.py`.
TARGETS = [
    ("mahalanobis", 1.0, 2),
    ("norm", 1.0, 2),
    ("krum", 1.0, 2),
    ("multi-krum", 1.0, 2),
    ("bulyan", 1.0, 2),
    ("foolsgold", 1.0, 2),
    ("cosine", 0.9, 1),
    ("spectral", 1.0, 2),
    ("last-bias", 1.0, 2),
    ("median-distance", 1.0, 2),
    ("sign", 1.0, 2),
    ("panel", 1.0, 2),
    ("pyod:PCA", 1.0, 2),
]
UPDATE = list(ORACLES)
# How far six significant digits are off, at most.
DIGITS = 6e-6
# What they make of a translation of all updates: nothing.
TRANSLATION_INVARIANT = ["krum", "multi-krum", "bulyan", "cosine", "spectral", "median-distance"]


@pytest.mark.parametrize(("name", "least_auc", "least_caught"), TARGETS)
def test_every_detector_finds_the_compromised(
    name: str, least_auc: float, least_caught: int
) -> None:
    verdict = ariba.audit(FIXTURES / "attacked", detectors=name, k_est=4, truth=True)
    assert verdict.truth is not None
    found = verdict.truth.detectors[name]
    assert found.auc is not None
    assert found.auc >= least_auc
    assert 2 * found.caught >= least_caught


def test_the_table_above_has_every_detector() -> None:
    assert set(DETECTORS) == {name.partition(":")[0] for name, _, _ in TARGETS}


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_declares_what_there_is_to_know(name: str) -> None:
    declared = family(name).declaration
    assert declared.name == name
    assert all((declared.summary, declared.equation, declared.source, declared.score))
    if name not in WITH_VARIANTS:
        assert [one.declaration for one in make_detectors([name])] == [declared]


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_refuses_arguments_that_it_does_not_take(name: str) -> None:
    variant = f"{name}:PCA" if name in WITH_VARIANTS else name
    with pytest.raises(UsageError, match="no_such"):
        make_detectors([variant], {"no_such": 1})


def draw(seed: int, n: int = 11, classes: int = 5, width: int = 7) -> tuple[Float64, Float64]:
    """Return n updates of a weight matrix and of its bias, of unlike length, none far off."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((n, classes, width)) * rng.uniform(0.5, 2, (n, 1, 1))
    return weight, rng.standard_normal((n, classes))


def scored(weight: Float64, bias: Float64, name: str, **options: Any) -> DetectorResult:
    """Return what a detector says of updates that are differences."""
    updates = {
        f"p{i:02}": {"fc.weight": own, "fc.bias": other}
        for i, (own, other) in enumerate(zip(weight, bias, strict=True))
    }
    found = ariba.score(updates, deltas=True, k_est=2, detectors=name, **options)
    return found.detectors[0]


def values(result: DetectorResult) -> dict[str, float]:
    return {one.id: one.value for one in result.scores}


def expected(name: str, delta: Float64, result: DetectorResult) -> Float64:
    return ORACLES[name](delta, **result.parameters)


@pytest.mark.parametrize("name", UPDATE)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(3, 14))
@example(seed=9323, n=3)
def test_scores_are_those_of_the_oracle(name: str, seed: int, n: int) -> None:
    weight, bias = draw(seed, n)
    result = scored(weight, bias, name)
    ids = [f"p{i:02}" for i in range(n)]
    whole = np.hstack([weight.reshape(n, -1), bias])
    by_id = {one.id: one for one in result.scores}
    if not result.scores:
        assert np.ptp(expected(name, whole, result)) == pytest.approx(0, abs=1e-9)
        return
    np.testing.assert_allclose(
        [by_id[one].score for one in ids], expected(name, whole, result), rtol=DIGITS, atol=1e-9
    )
    for layer, delta in (("fc.weight", weight.reshape(n, -1)), ("fc.bias", bias)):
        own = [by_id[one].by_layer[layer] for one in ids]
        np.testing.assert_allclose(own, expected(name, delta, result), rtol=DIGITS, atol=1e-9)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_output_layer_is_scored_as_by_the_oracle(seed: int) -> None:
    weight, bias = draw(seed)
    found = values(scored(weight, bias, "last-bias"))
    own = update_oracle.last_bias(weight, bias)
    np.testing.assert_allclose([found[f"p{i:02}"] for i in range(len(own))], own, rtol=DIGITS)


def test_the_output_layer_names_the_class() -> None:
    weight, bias = draw(3)
    bias[4, 2] = 50.0
    result = scored(weight, bias, "last-bias")
    assert (result.scores[0].id, result.scores[0].details["class"]) == ("p04", 2)


@pytest.mark.parametrize("name", [*UPDATE, "last-bias"])
def test_another_order_of_ids_gives_everybody_the_same_score(name: str) -> None:
    weight, bias = draw(1)
    order = np.random.default_rng(0).permutation(len(weight))
    before = values(scored(weight, bias, name))
    after = values(scored(weight[order], bias[order], name))
    for place, own in enumerate(order):
        # Of the last few that Bulyan takes, two that are nearest to each other are equal to it.
        if name != "bulyan" or before[f"p{own:02}"] < 0.9:
            assert after[f"p{place:02}"] == pytest.approx(before[f"p{own:02}"], rel=DIGITS)


@pytest.mark.parametrize("name", [*UPDATE, "last-bias"])
def test_scores_do_not_depend_on_the_unit(name: str) -> None:
    weight, bias = draw(2)
    factor = 2.0**-20
    expected = values(scored(weight, bias, name))
    found = values(scored(weight * factor, bias * factor, name))
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", TRANSLATION_INVARIANT)
def test_what_all_have_in_common_does_not_count(name: str) -> None:
    weight, bias = draw(4)
    found = values(scored(weight + 3.0, bias - 2.0, name))
    assert found == pytest.approx(values(scored(weight, bias, name)), rel=1e-9)


def test_krum_does_not_change_with_a_rotation() -> None:
    weight, bias = draw(5)
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.standard_normal((7, 7)))[0]
    found = values(scored(weight @ turn, bias, "krum"))
    assert found == pytest.approx(values(scored(weight, bias, "krum")), rel=1e-9)


def test_twins_have_a_pardoned_cosine_of_one() -> None:
    weight, bias = draw(6, n=6)
    weight[4], bias[4] = weight[1], bias[1]
    found = values(scored(weight, bias, "foolsgold"))
    assert found["p01"] == found["p04"] == pytest.approx(1.0)
    assert max(found[name] for name in ("p00", "p02", "p03", "p05")) < 0.9


def test_who_is_orthogonal_to_all_is_not_suspicious_to_foolsgold() -> None:
    eye = np.eye(6)[:, None, :]
    weight = np.concatenate([eye, eye[:1] * 2])
    bias = np.zeros((7, 1))
    found = values(scored(weight, bias, "foolsgold"))
    assert found["p00"] == found["p06"] == pytest.approx(1.0)
    assert all(found[f"p{i:02}"] == 0 for i in range(1, 6))


@pytest.mark.parametrize("name", ["krum", "multi-krum", "bulyan"])
def test_f_is_an_argument_that_must_fit_n(name: str) -> None:
    weight, bias = draw(7)
    result = scored(weight, bias, name, detector_arguments={"f": 1})
    assert result.parameters == {"f": 1}
    with pytest.raises(UsageError, match=r"f is 10; with 11 participants \S+ can allow for"):
        scored(weight, bias, name, detector_arguments={"f": 10})
    with pytest.raises(UsageError, match="must be an integer of at least 0"):
        scored(weight, bias, name, detector_arguments={"f": 1.5})


def test_neighbours_is_an_argument_that_must_fit_n() -> None:
    weight, bias = draw(8)
    one = scored(weight, bias, "cosine", detector_arguments={"neighbours": 1})
    assert values(one) != values(scored(weight, bias, "cosine"))
    with pytest.raises(UsageError, match="at most 10"):
        scored(weight, bias, "cosine", detector_arguments={"neighbours": 11})


def test_differences_are_scored_as_weights_and_a_global_model() -> None:
    weight, bias = draw(9)
    start = np.random.default_rng(1).integers(-8, 8, (5, 7)).astype(np.float64)
    updates = {
        f"p{i:02}": {"fc.weight": start + own, "fc.bias": other}
        for i, (own, other) in enumerate(zip(weight, bias, strict=True))
    }
    model = {"fc.weight": start, "fc.bias": np.zeros(5)}
    for name in ORACLES:
        found = ariba.score(updates, global_model=model, k_est=2, detectors=name).detectors[0]
        assert values(found) == pytest.approx(values(scored(weight, bias, name)), rel=1e-9)


@pytest.mark.parametrize("name", DETECTORS)
def test_what_a_detector_needs_is_refused_where_it_lacks(name: str) -> None:
    if name in WITH_VARIANTS:
        return
    needs = family(name).declaration.needs
    rng = np.random.default_rng(0)
    updates = {f"p{i}": rng.standard_normal((6, 3)) for i in range(6)}
    if not needs:
        assert ariba.score(updates, detectors=name, k_est=2).suspects
        return
    error: type[AribaError] = InputError if Need.GLOBAL_MODEL in needs else UsageError
    with pytest.raises(error, match=f"^{name} needs "):
        ariba.score(updates, detectors=name, k_est=2)


@pytest.mark.parametrize("n", [3, 4, 5])
def test_few_participants_are_scored(n: int) -> None:
    weight, bias = draw(10, n)
    for name in [*UPDATE, "last-bias"]:
        assert len(scored(weight, bias, name).scores) in (0, n)


@pytest.mark.parametrize("name", [*UPDATE, "last-bias"])
def test_equal_updates_rank_nobody(name: str) -> None:
    weight, bias = np.ones((5, 4, 3)), np.ones((5, 4))
    assert scored(weight, bias, name).scores == ()


@pytest.mark.parametrize("name", [*UPDATE, "last-bias"])
def test_a_huge_update_and_an_idle_one_are_scored(name: str) -> None:
    weight, bias = draw(11)
    weight[3], bias[3] = weight[3] * 1e30, bias[3] * 1e30
    weight[5], bias[5] = 0.0, 0.0
    # In a layer that is not examined it changed something: else it would be left out.
    updates = {
        f"p{i:02}": {"fc.weight": own, "fc.bias": other, "other.weight": np.ones((2, 2))}
        for i, (own, other) in enumerate(zip(weight, bias, strict=True))
    }
    layers = ["fc.weight", "fc.bias"]
    verdict = ariba.score(updates, deltas=True, k_est=2, detectors=name, layers=layers)
    found = values(verdict.detectors[0])
    assert len(found) == len(weight)
    assert np.isfinite(list(found.values())).all()


def test_several_detectors_say_the_same_as_each_alone() -> None:
    names = [name for name in DETECTORS if name not in WITH_VARIANTS]
    together = ariba.audit(FIXTURES / "attacked", detectors=names, k_est=4)
    assert [one.name for one in together.detectors] == names
    for name, own in zip(names, together.detectors, strict=True):
        alone = ariba.audit(FIXTURES / "attacked", detectors=name, k_est=4).detectors[0]
        shared = {"conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight"}
        if own.scope == Scope.LAYER:
            assert own == alone
        assert {one.id: one.by_layer.keys() & shared for one in own.scores} == {
            one.id: one.by_layer.keys() & shared for one in alone.scores
        }
        assert [one.id for one in own.scores] == [one.id for one in alone.scores]


def test_leaving_somebody_out_is_as_if_nothing_had_been_sent() -> None:
    weight, bias = draw(12)
    updates = {
        f"p{i:02}": {"fc.weight": own, "fc.bias": other}
        for i, (own, other) in enumerate(zip(weight, bias, strict=True))
    }
    for name in [*UPDATE, "last-bias", "mahalanobis"]:
        without = ariba.score(updates, deltas=True, k_est=2, detectors=name, exclude="p04")
        rest = {one: own for one, own in updates.items() if one != "p04"}
        assert without.ranking == ariba.score(rest, deltas=True, k_est=2, detectors=name).ranking
        assert next(one.status for one in without.inputs if one.id == "p04") == "excluded"


def test_memory_does_not_change_a_score() -> None:
    names = [name for name in DETECTORS if name not in WITH_VARIANTS]
    expected = ariba.audit(FIXTURES / "attacked", detectors=names)
    for most in (2**12, 2**17):
        found = ariba.audit(FIXTURES / "attacked", detectors=names, max_memory=most)
        assert found.detectors == expected.detectors


def test_a_layer_that_all_sent_alike_is_found_wherever_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(0)
    alike = draw.standard_normal((8, 40)).astype(np.float32)
    updates = {
        f"p{i}": {"a": alike, "b": draw.standard_normal((8, 40)).astype(np.float32)}
        for i in range(6)
    }
    updates["p3"]["b"][2, 2] = np.nan
    ariba.save_round(tmp_path / "round", updates)
    held = ariba.audit(tmp_path / "round", detectors=["mahalanobis", "krum"], k_est=2)
    monkeypatch.setattr(reading, "_MOST_HELD", 0)
    monkeypatch.setattr(reading, "_OPENED_ONCE_BYTES", 0)
    streamed = ariba.audit(tmp_path / "round", detectors=["mahalanobis", "krum"], k_est=2)
    assert streamed.to_dict()["result_sha256"] == held.to_dict()["result_sha256"]
    assert any(one.layer == "a" for one in held.findings)


def test_of_many_participants_a_sketch_is_compared_and_the_report_says_so() -> None:
    rng = np.random.default_rng(0)
    updates = {f"p{i:03}": rng.standard_normal((16, 64)) for i in range(260)}
    for name in ("p017", "p200"):
        updates[name] = updates["p017"] * 1.01
        updates[name][0] += 30
    for names in (["krum", "mahalanobis"], ["foolsgold"], ["median-distance"]):
        found = ariba.score(updates, deltas=True, detectors=names, k_est=2)
        assert found.method.inner_products == "sketch"
        assert {one.id for one in found.suspects} == {"p017", "p200"}
        again = ariba.score(updates, deltas=True, detectors=names, k_est=2)
        assert again.detectors == found.detectors
    fewer = dict(list(updates.items())[:250])
    assert ariba.score(fewer, detectors="krum", k_est=2).method.inner_products == "exact"
    assert ariba.score(fewer, k_est=2).method.inner_products is None


@pytest.mark.parametrize("name", ["last-bias", "panel"])
def test_a_layer_that_stays_in_its_files_decides_nothing(name: str) -> None:
    """The output bias of the global model is one of them."""
    held = ariba.audit(FIXTURES / "attacked", detectors=name)
    read = ariba.audit(FIXTURES / "attacked", detectors=name, max_memory=8)
    assert result_digest(read) == result_digest(held)
