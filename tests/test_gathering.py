"""Statistics of whole updates: those of a plain computation, and the same whatever the way."""

import math
from dataclasses import astuple
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ariba_cli.base import parallel
from ariba_cli.native import sides
from ariba_cli.native.columns import medians
from ariba_cli.native.products import BLOCK_COLUMNS, exact_square
from ariba_cli.scoring import gathering
from ariba_cli.scoring.gathering import Gathered, Origin, gather
from ariba_cli.scoring.update_statistics import (
    Statistic,
    UpdateStatistics,
    centred,
    cosines,
    squared_distances,
)
from ariba_cli.updates.fragments import FragmentLayout, Fragments

ALL = frozenset(Statistic)
Array = npt.NDArray[Any]


def updates(n: int, size: int, seed: int = 0, dtype: type = np.float32) -> tuple[Array, Array]:
    """Return a global model, and the weights of n participants near it."""
    draw = np.random.default_rng(seed)
    start: Array = draw.standard_normal(size).astype(dtype)
    moved = draw.standard_normal((n, size)) * draw.uniform(0.001, 1, (n, 1))
    return start, (start + moved).astype(dtype)


def whole(values: Any, size: int, **options: Any) -> Fragments:
    return Fragments(values, FragmentLayout(size, 1), **options)


def same(one: Gathered, other: Gathered) -> bool:
    """Return whether two are equal to the last bit."""
    parts = zip(astuple(one.statistics), astuple(other.statistics), strict=True)
    return (
        all(np.array_equal(first, second) for first, second in parts)
        and np.array_equal(one.row_squares, other.row_squares)
        and all(map(np.array_equal, one.by_side, other.by_side))
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 12), st.integers(1, 5000), st.integers(0, 2**32))
def test_statistics_are_those_of_a_plain_computation(n: int, size: int, seed: int) -> None:
    start, values = updates(n, size, seed)
    found = gather(whole(values, size), Origin(start), ALL).statistics
    theta = start.astype(np.float64)
    delta = values.astype(np.float64) - theta
    median = np.median(delta, axis=0)
    scale = np.abs(delta).max() ** 2 * size
    np.testing.assert_allclose(found.gram, delta @ delta.T, rtol=1e-9, atol=1e-10 * scale)
    assert found.along_global is not None
    assert found.along_median is not None
    np.testing.assert_allclose(
        found.along_global, delta @ theta, atol=1e-9 * size * np.abs(theta).max() * np.sqrt(scale)
    )
    np.testing.assert_allclose(found.along_median, delta @ median, atol=1e-9 * scale)
    assert found.global_square == pytest.approx(theta @ theta)
    assert found.median_square == pytest.approx(median @ median, abs=1e-9 * scale)
    signs = np.sign(delta)
    majority = np.sign(signs.sum(axis=0))
    agree = (signs == majority) & (majority != 0)
    assert found.agreement is not None
    assert found.agreement.tolist() == agree.sum(axis=1).tolist()
    assert found.with_majority == np.count_nonzero(majority)


def test_neither_threads_nor_chunks_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 3 * gathering._GROUP_COLUMNS + 12_345
    start, values = updates(5, size)
    both = sides.sides_of((1, size // 9, 9)) + sides.sides_of((size // 6, 3, 2))
    expected = gather(whole(values, size), Origin(start), ALL, rows=1, sides=both)
    for chunk_bytes in (2**16, 2**24):
        lazily = whole(list(values), size, chunk_bytes=chunk_bytes)
        assert same(gather(lazily, Origin(start), ALL, rows=1, sides=both), expected)
    monkeypatch.setattr(parallel, "cores", lambda: 1)
    assert same(gather(whole(values, size), Origin(start), ALL, rows=1, sides=both), expected)


def test_the_squares_of_rows_are_those_of_the_rows() -> None:
    start, values = updates(4, 37 * 513)
    found = gather(whole(values, 37 * 513), Origin(start), (), rows=37).row_squares
    delta = values.astype(np.float64) - start
    expected = np.square(delta).reshape(4, 37, 513).sum(axis=2)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=4),
    st.integers(1, 15),
    st.integers(0, 2**32),
)
def test_the_squares_of_sides_are_those_of_the_sides(
    shape: list[int], most: int, seed: int
) -> None:
    """Whatever the shape, and where neighbours are taken together."""
    size = math.prod(shape)
    start, values = updates(3, size, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sides, "MOST_PARTS", most)
        wanted = sides.sides_of(shape)
    found = gather(whole(values, size), Origin(start), (), sides=wanted).by_side
    squares = np.square(values.astype(np.float64) - start).reshape(3, *shape)
    plain = []
    for axis in range(min(2, len(shape)) if len(shape) > 1 else 0):
        others = tuple(other for other in range(1, len(shape) + 1) if other != axis + 1)
        together = -(-shape[axis] // most)
        starts = np.arange(0, shape[axis], together)
        if len(starts) > 1:
            plain.append(np.add.reduceat(squares.sum(axis=others), starts, axis=1))
    assert len(found) == len(plain)
    for own, expected in zip(found, plain, strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-9)


def test_of_a_large_layer_blocks_at_even_distances_tell_of_the_sides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gathering, "_SIDE_VALUES", 4 * BLOCK_COLUMNS)
    shape = (40, 512)
    start, values = updates(3, math.prod(shape))
    found = gather(
        whole(values, start.size), Origin(start), (), sides=sides.sides_of(shape)
    ).by_side
    squares = np.square(values.astype(np.float64) - start).reshape(3, 5, 2, -1)[:, :, 0]
    by_row = squares.reshape(3, 5, 4, 512)
    np.testing.assert_allclose(found[1], by_row.sum(axis=(1, 2)), rtol=1e-9)
    taken = [row for row in range(40) if row % 8 < 4]
    np.testing.assert_allclose(found[0][:, taken], by_row.sum(axis=3).reshape(3, 20), rtol=1e-9)
    assert not np.delete(found[0], taken, axis=1).any()


def test_differences_give_what_weights_give() -> None:
    start, values = updates(6, 1000, dtype=np.float64)
    weights = gather(whole(values, 1000), Origin(start), ()).statistics
    deltas = gather(whole(values - start, 1000), Origin(None, updates_are_deltas=True), ())
    assert weights.from_global
    assert deltas.statistics.from_global
    np.testing.assert_array_equal(weights.gram, deltas.statistics.gram)


def test_without_a_global_model_distances_are_the_same() -> None:
    start, values = updates(6, 1000)
    known = gather(whole(values, 1000), Origin(start), ()).statistics
    unknown = gather(whole(values, 1000, reference=2), Origin(), ()).statistics
    assert not unknown.from_global
    np.testing.assert_allclose(
        squared_distances(unknown.gram), squared_distances(known.gram), rtol=1e-9, atol=1e-6
    )


def test_leaving_somebody_out_needs_no_second_read() -> None:
    start, values = updates(6, 3000)
    kept = [0, 2, 3, 5]
    once = gather(whole(values, 3000), Origin(start), ()).statistics.keeping(kept)
    again = gather(whole(values[kept], 3000), Origin(start), ()).statistics
    np.testing.assert_array_equal(once.gram, again.gram)


def test_layers_add_up_to_the_whole_update() -> None:
    start, values = updates(5, 6 * BLOCK_COLUMNS)
    half = 2 * BLOCK_COLUMNS
    parts = [
        gather(whole(values[:, part], values[:, part].shape[1]), Origin(start[part]), ALL)
        for part in (slice(half), slice(half, None))
    ]
    total: UpdateStatistics = parts[0].statistics + parts[1].statistics
    expected = gather(whole(values, values.shape[1]), Origin(start), ALL).statistics
    np.testing.assert_allclose(total.gram, expected.gram, rtol=1e-12)
    assert total.agreement is not None
    assert expected.agreement is not None
    assert total.agreement.tolist() == expected.agreement.tolist()


def test_equal_updates_are_at_distance_zero_and_one_of_1e30_spoils_no_other() -> None:
    start, values = updates(5, 5000)
    values[3] = values[1]
    values[4, 17] = 1e30
    gram = gather(whole(values, 5000), Origin(start), ()).statistics.gram
    distances = squared_distances(gram)
    assert distances[1, 3] == 0
    delta = values[:3].astype(np.float64) - start
    np.testing.assert_allclose(gram[:3, :3], delta @ delta.T, rtol=1e-9, atol=1e-9)


def test_many_participants_are_compared_by_sketches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MOST_EXACT", 9)
    start, values = updates(10, 20_000)
    values[7] = start + 0.5 * (values[6] - start)
    exact = (values.astype(np.float64) - start) @ (values.astype(np.float64) - start).T
    found = gather(whole(values, 20_000), Origin(start), ()).statistics
    norms = np.sqrt(np.diagonal(exact))
    assert np.abs((found.gram - exact) / (norms[:, None] * norms)).max() < 0.1
    assert cosines(found.gram)[6, 7] > 0.99
    lazily = whole(list(values), 20_000, chunk_bytes=2**16)
    np.testing.assert_array_equal(gather(lazily, Origin(start), ()).statistics.gram, found.gram)


def test_centring_takes_the_mean_away() -> None:
    _, values = updates(7, 300, dtype=np.float64)
    moved = values - values.mean(axis=0)
    np.testing.assert_allclose(centred(values @ values.T), moved @ moved.T, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.integers(1, 300), st.integers(-200, 200), st.integers(0, 2**32))
def test_squares_are_exact_at_every_scale(n: int, size: int, power: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).standard_normal((n, size))
    found = exact_square(np.ldexp(matrix, power))
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(found, np.ldexp(exact_square(matrix), 2 * power))
    np.testing.assert_allclose(exact_square(matrix), matrix @ matrix.T, rtol=1e-9, atol=1e-9)


def test_medians_leave_the_values_as_they_are() -> None:
    for columns in (1, 3):
        values = np.random.default_rng(0).standard_normal((5, columns))
        before = values.copy()
        np.testing.assert_array_equal(medians(values), np.median(values, axis=0))
        np.testing.assert_array_equal(values, before)


def test_values_are_gone_through_once_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values that stay in their file are hashed and checked only then."""
    monkeypatch.setattr(gathering, "MOST_EXACT", 2)

    class Recording:
        def __init__(self, values: Array) -> None:
            self.values: Array = values
            self.size, self.dtype = values.size, values.dtype
            self.asked: list[tuple[int, int]] = []

        def __getitem__(self, which: Any) -> Array:
            if isinstance(which, slice):
                self.asked.append((which.start, which.stop))
            found: Array = self.values[which]
            return found

    size = 2 * gathering._GROUP_COLUMNS + 5
    start, values = updates(3, size)
    recorded = [Recording(row) for row in values]
    gather(whole(recorded, size, chunk_bytes=2**16), Origin(start), ())
    for one in recorded:
        stops = [0, *(stop for _, stop in one.asked)]
        assert [first for first, _ in one.asked] == stops[:-1]
        assert stops[-1] == size
