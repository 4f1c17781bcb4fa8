"""The engine against the oracle, and the properties that the method has by mathematics."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ariba_cli.scoring import engine
from ariba_cli.scoring.marks import Marks, marks_by_k_est
from ariba_cli.updates.fragments import FragmentLayout, Fragments
from tests.oracle import oracle

Array = npt.NDArray[np.floating]

# Two distances closer than this are a tie as far as float64 can tell.
CLEAR = 1e-9


@dataclass(frozen=True)
class Layer:
    """One layer of a round, with the k_est to audit it by."""

    tensors: Sequence[Array]
    cut: FragmentLayout
    k_est: int

    def score(self) -> Marks:
        return engine.score(Fragments(self.tensors, self.cut), self.k_est)


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    """Random layers, some participants boosted, some directions missing, some values far."""
    n = draw(st.integers(3, 40))
    cut = FragmentLayout(
        draw(st.integers(1, 40)), draw(st.integers(1, 30)), draw(st.integers(0, 3))
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = rng.standard_normal((n, cut.fragments * cut.dimension + cut.left_out))
    values[: draw(st.integers(0, n - 1))] *= draw(st.sampled_from([1.0, 10.0, 1000.0]))
    values *= draw(st.sampled_from([1e-30, 1e-3, 1.0, 1e20]))
    if draw(st.booleans()):
        used = values[:, : cut.fragments * cut.dimension].reshape(n, -1, cut.dimension)
        used[..., draw(st.integers(0, cut.dimension - 1))] = 0
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return Layer(list(values.astype(dtype)), cut, draw(st.integers(1, n - 1)))


@settings(max_examples=300, deadline=None)
@given(layers())
def test_marks_are_those_of_the_oracle(layer: Layer) -> None:
    expected = oracle(layer.tensors, layer.cut.fragments, layer.cut.dimension, layer.k_est)
    # What float64 can know of a distance, by the condition of the covariance.
    known = 1e-13 * expected.condition
    assume(expected.rank > 0 and expected.margin > max(known, CLEAR))
    found = layer.score()
    assert found.scores.tolist() == expected.scores
    assert found.covariance_rank == expected.rank
    # As they stand in a report: to six digits and to two.
    assert found.cut_distance == pytest.approx(expected.cut_distance, rel=5e-6 + known)
    assert found.cut_margin == pytest.approx(expected.margin, rel=0.05, abs=known)


@settings(max_examples=100, deadline=None)
@given(layers())
def test_scores_add_up_to_what_was_marked(layer: Layer) -> None:
    found = layer.score()
    assume(found.marked)
    assert found.marked == layer.k_est * layer.cut.fragments
    assert found.scores.sum() == found.marked
    assert found.scores.max() <= layer.cut.fragments


@settings(max_examples=100, deadline=None)
@given(layers())
def test_the_pooled_mean_of_fragments_is_zero(layer: Layer) -> None:
    block = Fragments(layer.tensors, layer.cut).centred(0, layer.cut.fragments)
    largest = np.abs(block).max(initial=0.0)
    assert np.abs(block.mean(axis=(0, 1))).max() <= 1e-12 * largest


@settings(max_examples=100, deadline=None)
@given(layers(), st.randoms(use_true_random=False))
def test_the_order_of_participants_does_not_matter(layer: Layer, random: object) -> None:
    order = list(range(len(layer.tensors)))
    random.shuffle(order)  # type: ignore[attr-defined]
    found = layer.score()
    assume(found.cut_margin > CLEAR)
    shuffled = Layer([layer.tensors[i] for i in order], layer.cut, layer.k_est).score()
    assert shuffled.scores.tolist() == found.scores[order].tolist()


@settings(max_examples=100, deadline=None)
@given(layers(), st.integers(0, 2**32))
def test_a_tensor_added_to_all_does_not_matter(layer: Layer, seed: int) -> None:
    found = layer.score()
    assume(found.cut_margin > CLEAR)
    doubles = [tensor.astype(np.float64) for tensor in layer.tensors]
    common = np.random.default_rng(seed).standard_normal(doubles[0].shape) * np.abs(doubles).max()
    shifted = Layer([tensor + common for tensor in doubles], layer.cut, layer.k_est).score()
    assert shifted.scores.tolist() == found.scores.tolist()


@settings(max_examples=100, deadline=None)
@given(layers(), st.sampled_from([-1.0, 0.125, 3.0, 1e-6]))
def test_a_common_factor_does_not_matter(layer: Layer, factor: float) -> None:
    found = layer.score()
    assume(found.cut_margin > CLEAR)
    doubles = [factor * tensor.astype(np.float64) for tensor in layer.tensors]
    assert Layer(doubles, layer.cut, layer.k_est).score().scores.tolist() == found.scores.tolist()


@settings(max_examples=100, deadline=None)
@given(layers(), st.integers(0, 2**32))
def test_a_linear_map_of_the_fragments_does_not_matter(layer: Layer, seed: int) -> None:
    """Mahalanobis distance is affine-invariant."""
    found = layer.score()
    assume(found.cut_margin > CLEAR)
    d = layer.cut.dimension
    rng = np.random.default_rng(seed)
    # An orthogonal matrix with its rows scaled: invertible, and known to be well conditioned.
    linear = np.linalg.qr(rng.standard_normal((d, d)))[0] * rng.uniform(0.5, 2.0, (d, 1))
    used = layer.cut.fragments * d
    mapped = [
        (tensor[:used].astype(np.float64).reshape(-1, d) @ linear).ravel()
        for tensor in layer.tensors
    ]
    again = Layer(mapped, FragmentLayout(layer.cut.fragments, d), layer.k_est).score()
    assert again.scores.tolist() == found.scores.tolist()


@settings(max_examples=50, deadline=None)
@given(layers())
def test_the_type_in_which_numbers_are_stored_does_not_matter(layer: Layer) -> None:
    as_float64 = [tensor.astype(np.float64) for tensor in layer.tensors]
    found, again = layer.score(), Layer(as_float64, layer.cut, layer.k_est).score()
    assert again.scores.tolist() == found.scores.tolist()
    assert again.cut_margin == found.cut_margin


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_half_precision_is_widened_before_any_arithmetic(dtype: type[np.floating]) -> None:
    values = np.random.default_rng(7).standard_normal((9, 60)).astype(np.float16)
    found = Layer(list(values.astype(dtype)), FragmentLayout(12, 5), 2).score()
    assert found.scores.tolist() == oracle(list(values), 12, 5, 2).scores


@settings(max_examples=200, deadline=None)
@given(
    n=st.integers(2, 9),
    m=st.integers(1, 12),
    kinds=st.integers(1, 40),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
def test_marks_are_the_first_in_order(
    n: int, m: int, kinds: int, seed: int, data: st.DataObject
) -> None:
    distances = np.random.default_rng(seed).integers(-3, kinds, (n, m)).astype(np.float64)
    k_est = data.draw(st.integers(1, n - 1))
    found = marks_by_k_est(distances, k_est)
    assert len(found.by_k_est) == len(found.ends) == min(2 * k_est, n - 1)
    order = sorted((-value, place) for place, value in enumerate(distances.flat))
    for k, (own, end) in enumerate(zip(found.by_k_est, found.ends, strict=True), 1):
        marked = [place // m for _, place in order[: k * m]]
        assert own.tolist() == [marked.count(participant) for participant in range(n)]
        assert (-end.last, -end.following) == (order[k * m - 1][0], order[k * m][0])


def test_ties_go_to_the_first_participant_and_fragment() -> None:
    """±1 in one dimension: all twelve distances are equal, and four are to be marked."""
    tensors = [np.array([1.0, -1.0, 1.0])] * 2 + [np.array([-1.0, 1.0, -1.0])] * 2
    found = Layer(list(tensors), FragmentLayout(3, 1), 1).score()
    assert found.scores.tolist() == [3, 0, 0, 0]
    assert found.cut_margin == 0


@pytest.mark.parametrize("participants", [5, 50, 49])
def test_equal_participants_are_not_ranked(participants: int) -> None:
    """Also when their mean is no float64."""
    tensor = np.random.default_rng(11).standard_normal(12)
    found = Layer([tensor] * participants, FragmentLayout(4, 3), 2).score()
    assert (found.marked, found.covariance_rank) == (0, 0)
    assert not found.scores.any()


def test_a_coordinate_that_is_the_same_in_all_does_not_matter() -> None:
    """Frozen weights: what is left of them after the mean is noise, and not a direction."""
    rng = np.random.default_rng(12)
    values = rng.standard_normal((10, 20, 3))
    values[..., 2] = rng.standard_normal(20)
    found = Layer(list(values.reshape(10, -1)), FragmentLayout(20, 3), 2).score()
    without = Layer(list(values[..., :2].reshape(10, -1)), FragmentLayout(20, 2), 2).score()
    assert found.covariance_rank == 2
    assert found.scores.tolist() == without.scores.tolist()


def test_fragments_too_wide_to_differ_are_not_ranked() -> None:
    """5 participants with 2 fragments span 8 dimensions of 20: all are equally distant."""
    found = Layer(
        list(np.random.default_rng(13).standard_normal((5, 40))), FragmentLayout(2, 20), 1
    ).score()
    assert (found.marked, found.covariance_rank) == (0, 8)


def test_copies_of_an_update_have_the_same_score() -> None:
    rng = np.random.default_rng(3)
    tensors = [rng.standard_normal(90) for _ in range(8)]
    found = Layer([*tensors, tensors[2], tensors[5]], FragmentLayout(10, 9), 3).score()
    assert found.cut_margin > CLEAR
    assert found.scores[8] == found.scores[2]
    assert found.scores[9] == found.scores[5]


def test_fragments_wider_than_a_block() -> None:
    values = np.random.default_rng(6).standard_normal((12, 90 * 700)).astype(np.float32)
    found = Layer(list(values), FragmentLayout(90, 700), 3).score()
    assert found.scores.tolist() == oracle(list(values), 90, 700, 3).scores


def test_numbers_too_small_to_square_are_scored() -> None:
    """Also beside a coordinate that is zero in all."""
    values = np.random.default_rng(8).standard_normal((10, 20, 9))
    values[..., 0] = 0
    expected = Layer(list(values.reshape(10, -1)), FragmentLayout(20, 9), 2).score()
    found = Layer(list(1e-170 * values.reshape(10, -1)), FragmentLayout(20, 9), 2).score()
    assert found.covariance_rank == expected.covariance_rank == 8
    assert found.scores.tolist() == expected.scores.tolist()


def test_more_participants_than_a_block_has_room_for() -> None:
    values = np.random.default_rng(5).standard_normal((9_000, 2 * 4)).astype(np.float32)
    found = Layer(list(values), FragmentLayout(2, 4), 50).score()
    assert found.scores.tolist() == oracle(list(values), 2, 4, 50).scores


def test_values_that_float64_hardly_holds_are_scored_in_silence() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((6, 40 * 3)) * 1e-310
    values[0] *= 10
    assert Layer(list(values), FragmentLayout(40, 3), 2).score().scores.argmax() == 0
