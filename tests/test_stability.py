"""What would have become of the suspects under other choices, against the oracle."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.ranking import rank
from ariba_cli.auditing.settings import AuditSettings, KEst
from ariba_cli.auditing.stability import LayerCounts, stability
from ariba_cli.reports.words import stability_in_words
from ariba_cli.rounds.directory import open_round
from ariba_cli.scoring import engine
from ariba_cli.scoring.marks import last_k_est
from ariba_cli.updates.fragments import FragmentLayout, Fragments
from ariba_cli.verdicts.verdict import LayerResult, Stability
from tests.conftest import FIXTURES
from tests.oracle import oracle
from tests.test_scoring import CLEAR, Layer, layers
from tests.test_several_layers import write_round


@settings(max_examples=60, deadline=None)
@given(layers())
def test_marks_for_every_k_est_are_those_of_the_oracle(layer: Layer) -> None:
    found = layer.score()
    assume(found.marked)
    last = last_k_est(layer.k_est, len(layer.tensors))
    assert found.by_k_est.shape == (last, len(layer.tensors))
    assert found.by_k_est.sum(axis=1).tolist() == [
        k_est * layer.cut.fragments for k_est in range(1, last + 1)
    ]
    for k_est, counts in enumerate(found.by_k_est.tolist(), 1):
        expected = oracle(layer.tensors, layer.cut.fragments, layer.cut.dimension, k_est)
        if expected.margin > max(1e-13 * expected.condition, CLEAR):
            assert counts == expected.scores


@pytest.mark.parametrize("seed", range(5))
def test_a_k_est_of_its_own_gives_the_same_marks(seed: int) -> None:
    """Where there are ties, too: every fragment is there four times."""
    values = np.random.default_rng(seed).standard_normal((6, 900)).astype(np.float32)
    values = np.repeat(values, 4, axis=0) * np.arange(1, 25)[:, None].clip(max=3)
    fragments = Fragments(list(values.astype(np.float32)), FragmentLayout(100, 9))
    by_k_est = engine.score(fragments, 8).by_k_est
    for k_est, counts in enumerate(by_k_est, 1):
        assert engine.score(fragments, k_est).scores.tolist() == counts.tolist()


def results(counted: list[LayerCounts], k_est: int) -> list[LayerResult]:
    return [
        LayerResult(
            layer=one.layer,
            fragment="kernel",
            participants=len(one.ids),
            fragments=one.fragments,
            dimension=9,
            left_out=0,
            marked=k_est * one.fragments,
            covariance_rank=9,
            cut_distance=1.0,
            cut_margin=0.1,
            scores=dict(zip(one.ids, one.by_k_est[k_est - 1].tolist(), strict=True)),
            tensor_sha256={},
        )
        for one in counted
    ]


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
        shape = (last_k_est(k_est, len(scored)), len(scored))
        seed = draw(st.integers(0, 9999))
        counts = np.random.default_rng(seed).integers(0, min(fragments, 4), shape)
        found.append(LayerCounts(f"layer{number}", fragments, scored, counts))
    return found, k_est


@settings(max_examples=200, deadline=None)
@given(counted_layers())
def test_steps_lead_to_the_suspects_that_a_ranking_names(
    drawn: tuple[list[LayerCounts], int],
) -> None:
    counted, k_est = drawn
    ranking, _ = rank(results(counted, k_est), k_est)
    found = stability(counted, ranking, k_est)
    assert found is not None
    suspects: list[str] = []
    for step in found.steps:
        expected, _ = rank(results(counted, step.k_est), step.k_est)
        named = [one.id for one in expected if one.suspect]
        assert set(step.leave) <= set(suspects)
        assert not set(step.enter) & set(suspects)
        assert list(step.enter) == [name for name in named if name not in suspects]
        suspects = [*(name for name in suspects if name not in step.leave), *step.enter]
        assert sorted(suspects) == sorted(named)
    last = min(len(one.by_k_est) for one in counted)
    assert [step.k_est for step in found.steps] == list(range(1, last + 1))


@settings(max_examples=200, deadline=None)
@given(counted_layers())
def test_who_stays_without_a_layer_is_as_if_it_was_not_there(
    drawn: tuple[list[LayerCounts], int],
) -> None:
    counted, k_est = drawn
    ranking, tie = rank(results(counted, k_est), k_est)
    found = stability(counted, ranking, k_est)
    assert found is not None
    suspects = [one.id for one in ranking if one.suspect]
    assert (found.share_margin == 0) == tie
    assert found.share_margin == pytest.approx(ranking[k_est - 1].share - ranking[k_est].share)
    assert set(found.without_layer) == ({one.layer for one in counted} if counted[1:] else set())
    for layer, staying in found.without_layer.items():
        others = [one for one in counted if one.layer != layer]
        still, _ = rank(results(others, k_est), k_est)
        named = {one.id for one in still if one.suspect}
        assert list(staying) == [name for name in suspects if name in named]


def test_shares_that_no_float_tells_apart_are_told_apart() -> None:
    large = 3**30
    counts = np.array([[5, 4, 0], [5, 4, 0]])
    counted = [LayerCounts("one", large, ("a", "b", "c"), counts)]
    ranking, _ = rank(results(counted, 1), 1)
    found = stability(counted, ranking, 1)
    assert found is not None
    assert found.share_margin == float(Fraction(1, large))


def audited(layers: tuple[str, ...], k_est: int) -> Stability:
    settings = AuditSettings(layers=layers, k_est=KEst(k_est))
    found = audit(open_round(FIXTURES / "attacked"), settings).stability
    assert found is not None
    return found


@pytest.mark.parametrize("layers", [("conv2",), ("all",)])
def test_the_steps_of_an_audit_are_its_suspects_for_every_k_est(layers: tuple[str, ...]) -> None:
    suspects: set[str] = set()
    for step in audited(layers, 4).steps:
        suspects = (suspects - set(step.leave)) | set(step.enter)
        settings = AuditSettings(layers=layers, k_est=KEst(step.k_est))
        verdict = audit(open_round(FIXTURES / "attacked"), settings)
        assert suspects == {one.id for one in verdict.suspects}
    assert step.k_est == 8


def test_a_round_in_which_all_are_equal_has_none(tmp_path: Path) -> None:
    values = np.ones((2, 2, 3, 3), np.float32)
    root = write_round(tmp_path, [{"conv.weight": values}] * 4)
    assert audit(open_round(root), AuditSettings()).stability is None


def test_ties_of_fragments_at_the_cut_are_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    models = [
        {"a.weight": rng.standard_normal((6, 6, 3, 3)), "b.weight": np.zeros((6, 6, 3, 3))}
        for _ in range(8)
    ]
    models[1]["b.weight"][2, 2:] = 1
    root = write_round(tmp_path / "round", models)
    verdict = audit(open_round(root), AuditSettings(layers=("all",), k_est=KEst(2)))
    assert [layer.cut_margin == 0 for layer in verdict.layers] == [False, True]
    assert verdict.stability is not None
    said = stability_in_words(verdict, verdict.stability)
    (tied,) = (line for line in said if "tied at the cut" in line)
    assert tied.startswith("Fragments of b.weight are tied")
    verdict = audit(open_round(root), AuditSettings(layers=("a",), k_est=KEst(2)))
    assert verdict.stability is not None
    assert "tied at the cut" not in " ".join(stability_in_words(verdict, verdict.stability))
