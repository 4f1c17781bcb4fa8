"""The suspects under other choices, against the oracle."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.decisions import top_k
from ariba_cli.auditing.ranking import scores_of_marks
from ariba_cli.auditing.settings import AuditSettings, KEst
from ariba_cli.auditing.stability import LayerCounts, stability_of
from ariba_cli.detectors import make_detectors
from ariba_cli.reports.words import stability_in_words
from ariba_cli.rounds.directory import open_round
from ariba_cli.scoring import engine
from ariba_cli.scoring.marks import counted_k_ests
from ariba_cli.updates.fragments import FragmentLayout, Fragments
from ariba_cli.verdicts.verdict import MarkedLayer, Stability, Verdict
from tests.conftest import FIXTURES
from tests.oracle import oracle
from tests.test_scoring import CLEAR, Layer, layers
from tests.test_several_layers import write_round


@settings(max_examples=60, deadline=None)
@given(layers())
def test_marks_for_every_k_est_are_those_of_the_oracle(layer: Layer) -> None:
    found = layer.score()
    assume(found.marked)
    last = min(2 * layer.k_est, len(layer.tensors) - 1)
    assert found.k_ests.tolist() == list(range(1, last + 1))
    assert found.by_k_est.sum(axis=1).tolist() == [
        k_est * layer.cut.fragments for k_est in range(1, last + 1)
    ]
    for k_est, counts in enumerate(found.by_k_est.tolist(), 1):
        expected = oracle(layer.tensors, layer.cut.fragments, layer.cut.dimension, k_est)
        if expected.margin > max(1e-13 * expected.condition, CLEAR):
            assert counts == expected.scores


@pytest.mark.parametrize("seed", range(5))
def test_a_k_est_of_its_own_gives_the_same_marks(seed: int) -> None:
    """It holds with ties, too: every fragment is there four times."""
    values = np.random.default_rng(seed).standard_normal((6, 900)).astype(np.float32)
    values = np.repeat(values, 4, axis=0) * np.arange(1, 25)[:, None].clip(max=3)
    fragments = Fragments(list(values.astype(np.float32)), FragmentLayout(100, 9))
    by_k_est = engine.score(fragments, 8).by_k_est
    for k_est, counts in enumerate(by_k_est, 1):
        assert engine.score(fragments, k_est).scores.tolist() == counts.tolist()


def test_of_many_participants_no_more_than_64_k_est_are_counted() -> None:
    assert counted_k_ests(500, 1000).tolist() == [*range(1, 1000)]
    for k_est in (1, 2, 30, 31, 200, 777, 999):
        found = counted_k_ests(k_est, 1001).tolist()
        assert found == sorted({*found})
        assert {k_est - 1, k_est, k_est + 1} - {0} <= {*found}
        assert found[0] == 1
        assert found[-1] <= 2 * k_est
        assert len(found) <= 64 or k_est < 32


def test_what_is_counted_of_many_participants_is_what_a_k_est_of_its_own_gives() -> None:
    random = np.random.default_rng(7)
    values = random.standard_normal((1100, 90)) * random.uniform(1, 3, (1100, 1))
    fragments = Fragments(values.astype(np.float32), FragmentLayout(10, 9))
    marks = engine.score(fragments, 220)
    assert 60 < len(marks.k_ests) <= 64
    assert marks.marked == marks.scores.sum() == 2200
    for k_est, counts in zip(marks.k_ests.tolist(), marks.by_k_est, strict=True):
        if k_est % 9 == 0 or abs(k_est - 220) < 2:
            assert engine.score(fragments, k_est).scores.tolist() == counts.tolist()
    scored = tuple(f"p{index:04}" for index in range(1100))
    counted = LayerCounts("one", 10, scored, marks.k_ests, marks.by_k_est)
    # A layer that not so many hold has them all.
    every = engine.score(Fragments(values[:999].astype(np.float32), fragments.cut), 220)
    other = LayerCounts("other", 10, scored[:999], every.k_ests, every.by_k_est)
    found, _ = stability_of([counted, other], named([counted, other], 220), 220)
    assert [step.k_est for step in found.steps] == marks.k_ests.tolist()
    suspects: set[str] = set()
    for step in found.steps:
        suspects = (suspects - set(step.leave)) | set(step.enter)
        assert suspects == set(named([counted, other], step.k_est))


def results(counted: list[LayerCounts], k_est: int) -> list[MarkedLayer]:
    return [
        MarkedLayer(
            layer=one.layer,
            fragment="kernel",
            participants=len(one.ids),
            fragments=one.fragments,
            dimension=9,
            left_out=0,
            marked=k_est * one.fragments,
            covariance_rank=9,
            cutoff_distance=1.0,
            cutoff_margin=0.1,
            scores=dict(zip(one.ids, one.by_k_est[one.k_ests == k_est][0].tolist(), strict=True)),
        )
        for one in counted
    ]


def named(counted: list[LayerCounts], k_est: int) -> list[str]:
    """Return the suspects by the marks for a k_est."""
    return [one.id for one in scores_of_marks(results(counted, k_est))[:k_est]]


@st.composite
def counted_layers(draw: st.DrawFn) -> tuple[list[LayerCounts], int]:
    """Marks of a few layers in which not everybody was scored, with many ties."""
    ids = [f"p{index}" for index in range(draw(st.integers(4, 9)))]
    k_est = draw(st.integers(1, len(ids) - 2))
    found = []
    for number in range(draw(st.integers(1, 3))):
        missing = draw(st.sampled_from(["", *ids]))
        scored = tuple(name for name in ids if name != missing)
        # Sums of these leave what int64 holds.
        fragments = draw(st.sampled_from([2, 3, 7, 3**25, 5**17]))
        k_ests = counted_k_ests(k_est, len(scored))
        seed = draw(st.integers(0, 9999))
        shape = len(k_ests), len(scored)
        counts = np.random.default_rng(seed).integers(0, min(fragments, 4), shape)
        found.append(LayerCounts(f"layer{number}", fragments, scored, k_ests, counts))
    return found, k_est


@settings(max_examples=200, deadline=None)
@given(counted_layers())
def test_steps_lead_to_the_suspects_that_a_ranking_names(
    drawn: tuple[list[LayerCounts], int],
) -> None:
    counted, k_est = drawn
    found, _ = stability_of(counted, named(counted, k_est), k_est)
    suspects: list[str] = []
    for step in found.steps:
        expected = named(counted, step.k_est)
        assert set(step.leave) <= set(suspects)
        assert not set(step.enter) & set(suspects)
        assert list(step.enter) == [name for name in expected if name not in suspects]
        suspects = [*(name for name in suspects if name not in step.leave), *step.enter]
        assert sorted(suspects) == sorted(expected)
    last = min(len(one.by_k_est) for one in counted)
    assert [step.k_est for step in found.steps] == list(range(1, last + 1))


@settings(max_examples=200, deadline=None)
@given(counted_layers())
def test_who_stays_without_a_layer_is_as_if_it_was_not_there(
    drawn: tuple[list[LayerCounts], int],
) -> None:
    counted, k_est = drawn
    suspects = named(counted, k_est)
    found, margin = stability_of(counted, suspects, k_est)
    scores = scores_of_marks(results(counted, k_est))
    decision, ranking = top_k("mahalanobis", scores, k_est, margin)
    assert [one.id for one in ranking if one.suspect] == suspects
    assert decision.margin == margin
    assert decision.tie_at_cutoff == (margin == 0)
    assert margin == pytest.approx(scores[k_est - 1].value - scores[k_est].value)
    assert set(found.without_layer) == ({one.layer for one in counted} if counted[1:] else set())
    for layer, staying in found.without_layer.items():
        others = [one for one in counted if one.layer != layer]
        still = named(others, k_est)
        assert list(staying) == [name for name in suspects if name in still]


def test_shares_that_no_float_tells_apart_are_told_apart() -> None:
    large = 3**30
    counts = np.array([[5, 4, 0], [5, 4, 0]])
    counted = [LayerCounts("one", large, ("a", "b", "c"), np.array([1, 2]), counts)]
    _, margin = stability_of(counted, ["a"], 1)
    assert margin == float(Fraction(1, large))


def audited(root: Path, layers: tuple[str, ...], k_est: int | str, *detectors: str) -> Verdict:
    made = make_detectors(detectors or ("mahalanobis",))
    settings = AuditSettings(layers=layers, k_est=KEst.parse(k_est), detectors=made)
    return audit(open_round(root), settings)


def stability(verdict: Verdict) -> Stability:
    found = verdict.deciding.stability
    assert found is not None
    return found


@pytest.mark.parametrize("layers", [("conv2",), ("all",), ()])
def test_the_steps_of_an_audit_are_its_suspects_for_every_k_est(layers: tuple[str, ...]) -> None:
    suspects: set[str] = set()
    for step in stability(audited(FIXTURES / "attacked", layers, 4)).steps:
        suspects = (suspects - set(step.leave)) | set(step.enter)
        verdict = audited(FIXTURES / "attacked", layers, step.k_est)
        assert suspects == {one.id for one in verdict.suspects}
    assert step.k_est == 8


def test_a_percentage_has_the_stability_of_the_number_that_it_means() -> None:
    by_percentage = audited(FIXTURES / "attacked", ("conv2",), "20%")
    by_number = audited(FIXTURES / "attacked", ("conv2",), 4)
    assert by_percentage.decision == by_number.decision
    assert stability(by_percentage) == stability(by_number)


@pytest.mark.parametrize("layers", [("conv2",), ()])
def test_the_margin_is_that_of_the_shares_at_the_cutoff(layers: tuple[str, ...]) -> None:
    verdict = audited(FIXTURES / "attacked", layers, 4)
    last, following = (
        sum(Fraction(layer.scores[one.id], layer.fragments) for layer in verdict.marked_layers)
        for one in verdict.ranking[3:5]
    )
    assert verdict.decision.margin == float((last - following) / len(verdict.marked_layers))
    assert not verdict.decision.tie_at_cutoff


def test_who_stays_without_a_layer_is_who_stays_in_an_audit_without_it() -> None:
    verdict = audited(FIXTURES / "attacked", (), 4)
    without = stability(verdict).without_layer
    assert tuple(without) == verdict.method.layers
    for left_out, staying in without.items():
        others = tuple(name for name in verdict.method.layers if name != left_out)
        still = {one.id for one in audited(FIXTURES / "attacked", others, 4).suspects}
        assert list(staying) == [one.id for one in verdict.suspects if one.id in still]
    said = " ".join(stability_in_words(verdict))
    kept = set.intersection(*map(set, without.values()))
    assert f"{len(kept)} of the 4 suspects stay suspects, whichever layer is left out" in said


def test_of_a_single_layer_nothing_is_left_out() -> None:
    verdict = audited(FIXTURES / "attacked", ("conv2",), 4)
    assert stability(verdict).without_layer == {}
    assert "whichever layer" not in " ".join(stability_in_words(verdict))


def test_every_detector_of_layers_has_a_stability_of_its_own() -> None:
    root = FIXTURES / "attacked"
    verdict = audited(root, ("conv2",), 4, "pyod:COPOD", "krum", "mahalanobis")
    copod, krum, mahalanobis = verdict.detectors
    assert stability(verdict) == copod.stability != mahalanobis.stability
    assert krum.stability is None
    assert mahalanobis.stability == stability(audited(root, ("conv2",), 4))


def test_of_whole_updates_the_margin_alone_is_said() -> None:
    verdict = audited(FIXTURES / "attacked", (), 2, "krum", "mahalanobis")
    assert verdict.deciding.stability is None
    second, third = verdict.ranking[1:3]
    assert verdict.decision.margin == pytest.approx(second.score - third.score)
    (said,) = stability_in_words(verdict)
    assert said.startswith("The score of the last suspect exceeds that of the next participant by ")


@pytest.mark.parametrize("detector", ["mahalanobis", "krum"])
def test_a_round_in_which_all_are_equal_has_none(tmp_path: Path, detector: str) -> None:
    values = np.ones((2, 2, 3, 3), np.float32)
    root = write_round(tmp_path, [{"conv.weight": values}] * 4)
    verdict = audited(root, (), 1, detector)
    assert verdict.deciding.stability is None
    assert (verdict.decision.margin, verdict.decision.tie_at_cutoff) == (0, False)
    assert stability_in_words(verdict) == []


def test_ties_of_fragments_at_the_cutoff_are_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    models = [
        {"a.weight": rng.standard_normal((6, 6, 3, 3)), "b.weight": np.zeros((6, 6, 3, 3))}
        for _ in range(8)
    ]
    models[1]["b.weight"][2, 2:] = 1
    root = write_round(tmp_path / "round", models)
    verdict = audited(root, ("all",), 2)
    assert [layer.cutoff_margin == 0 for layer in verdict.marked_layers] == [False, True]
    (tied,) = (line for line in stability_in_words(verdict) if "tied at the cutoff" in line)
    assert tied.startswith("Fragments of b.weight are tied")
    assert "tied at the cutoff" not in " ".join(stability_in_words(audited(root, ("a",), 2)))
