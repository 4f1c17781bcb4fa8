"""The compiled kernels: to the last bit what NumPy gives, at every level that runs here."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ariba_cli.native import build, columns, distances, factoring, levels, library, products, sides
from ariba_cli.native.bins import BINS, Bins
from ariba_cli.native.centring import centre
from ariba_cli.native.checks import in_range
from ariba_cli.native.columns import medians, run_squares, sign_agreement
from ariba_cli.native.distances import second_moments, squared_distances
from ariba_cli.native.factoring import pivoted_cholesky, solved_squares
from ariba_cli.native.library import Rows
from ariba_cli.native.products import BLOCK_COLUMNS, Products
from ariba_cli.native.sides import Side
from tests.conftest import FIXTURES, Ariba

if TYPE_CHECKING:
    from pathlib import Path

Array = npt.NDArray[Any]

needs_kernels = pytest.mark.skipif(not library.available(), reason="the kernels were not compiled")
SCALES = [0.0, 5e-324, 1e-310, 1e-200, 1e-30, 1.0, 1e30, 1e150]


def fresh(*sizes: int) -> list[Array]:
    """Return memory that ends where it ends, with nothing in it that anything may depend on."""
    found = []
    for size in sizes:
        memory = np.full(size + 7, np.nan)
        start = -memory.ctypes.data % 64 // 8
        found.append(memory[start : start + size])
    return found


@pytest.fixture(autouse=True)
def _fresh_memory_and_the_same_kernels_afterwards() -> Iterator[None]:
    before = levels.chosen()
    with pytest.MonkeyPatch.context() as patch:
        for module in (columns, distances, products, sides, factoring):
            patch.setattr(module, "scratch", fresh)
        yield
    levels.use(before)


def on_all_levels(compute: Callable[[], Any]) -> list[Any]:
    """Return what comes out in NumPy, and at each level."""
    found = []
    for choice in (levels.OFF, *library.available()):
        levels.use(choice)
        found.append(compute())
    return found


@st.composite
def values(draw: st.DrawFn) -> Array:
    """Draw the values of some participants: of any scale, aligned or not, zeros among them."""
    n, size = draw(st.integers(1, 14)), draw(st.integers(0, 2 * BLOCK_COLUMNS + 40))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    scales = random.choice(draw(st.lists(st.sampled_from(SCALES), min_size=1)), (n, 1))
    memory = np.zeros((n, size + 7), dtype)
    found = memory[:, draw(st.integers(0, 7)) :][:, :size]
    with np.errstate(over="ignore", under="ignore"):
        found[:] = (random.standard_normal((n, size)) * scales).astype(dtype)
    found[~np.isfinite(found)] = 1e30
    if draw(st.booleans()):
        found[:, random.random(size) < 0.5] = 0
    if n > 2 and draw(st.booleans()):
        found[0] = found[-1]
    return found


def origin_of(found: Array, draw: int) -> Array | None:
    """Return nothing, somebody's values, or others."""
    if draw == 0:
        return None
    if draw == 1:
        first: Array = found[0].astype(np.float64)
        return first
    other: Array = np.asarray(np.random.default_rng(draw).standard_normal(found.shape[1]))
    return other


@needs_kernels
@settings(max_examples=150, deadline=None)
@given(values(), st.integers(0, 3), st.integers(0, 2))
def test_products_have_the_same_bits(found: Array, origin: int, extra: int) -> None:
    rows = Rows(found, origin_of(found, origin))
    more = list(np.random.default_rng(extra).standard_normal((extra, found.shape[1])))
    first, *others = on_all_levels(lambda: Products(len(found) + extra).of(rows, *more))
    for other in others:
        np.testing.assert_array_equal(other, first)


@needs_kernels
@settings(max_examples=100, deadline=None)
@given(values())
def test_medians_have_the_same_bits(found: Array) -> None:
    first, *others = on_all_levels(lambda: medians(found).tobytes())
    assert all(other == first for other in others)


@needs_kernels
@settings(max_examples=100, deadline=None)
@given(values(), st.integers(0, 3))
def test_signs_are_counted_alike(found: Array, origin: int) -> None:
    rows = Rows(found, origin_of(found, origin))

    def counted() -> tuple[list[int], int]:
        agreement, with_majority = sign_agreement(rows)
        return agreement.tolist(), with_majority

    first, *others = on_all_levels(counted)
    assert all(other == first for other in others)


@needs_kernels
@settings(max_examples=100, deadline=None)
@given(values(), st.integers(0, 3), st.integers(1, 700), st.integers(0, 2**32))
def test_squares_of_runs_have_the_same_bits(
    found: Array, origin: int, most: int, seed: int
) -> None:
    rows = Rows(found, origin_of(found, origin)).columns(slice(BLOCK_COLUMNS))
    size = rows.values.shape[1]
    if size == 0:
        return
    lengths = np.random.default_rng(seed).integers(1, most + 1, size)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    starts = starts[starts < size].astype(np.int64)
    with np.errstate(over="ignore"):
        first, *others = on_all_levels(lambda: run_squares(rows, starts))
    for other in others:
        np.testing.assert_array_equal(other, first)


def exact_product(left: Array, right: Array) -> int:
    return sum(int(x) * int(y) for x, y in zip(left, right, strict=True))


@pytest.mark.parametrize("choice", ["off", *library.available()])
@pytest.mark.parametrize("size", [1, 7, 63, BLOCK_COLUMNS - 1, BLOCK_COLUMNS])
def test_products_of_integers_are_rounded_once(choice: str, size: int) -> None:
    """All of them as large as there are, so that nothing has room to spare."""
    levels.use(choice)
    random = np.random.default_rng(size)
    whole = random.integers(2**41 - 2**12, 2**41, (5, size)) * random.choice([-1, 1], (5, 1))
    whole[:, 0] = 2**41 - 1
    whole[4] = random.integers(-(2**41), 2**41, size)
    whole[4, 0] = 2**41 - 1
    found = Products(5).of(Rows(whole.astype(np.float64)))
    for i in range(5):
        for j in range(5):
            assert found[i, j] == float(exact_product(whole[i], whole[j]))


@pytest.mark.parametrize("choice", ["off", *library.available()])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 8, BLOCK_COLUMNS + 3])
def test_products_of_what_is_not_finite_are_no_numbers(choice: str, bad: float, place: int) -> None:
    levels.use(choice)
    found = np.ones((3, BLOCK_COLUMNS + 4), np.float32)
    found[1, place] = bad
    with np.errstate(invalid="ignore"):
        assert np.isnan(Products(3).of(Rows(found))).all()


@needs_kernels
@pytest.mark.parametrize("n", [*range(1, 40), 100, columns._MOST_COMPARED, 300])
def test_medians_are_those_of_any_number(n: int) -> None:
    found = np.random.default_rng(n).standard_normal((n, 37)).astype(np.float32)
    for one in on_all_levels(lambda: medians(found)):
        np.testing.assert_array_equal(one, np.median(found.astype(np.float64), axis=0))


@needs_kernels
def test_what_kernels_cannot_read_is_left_to_numpy() -> None:
    found = np.random.default_rng(0).standard_normal((5, 200))
    shifted = np.frombuffer(b"\0" + found.tobytes(), np.uint8)[1:].view(np.float64).reshape(5, 200)
    for odd in (found[:, ::2], found[:, ::-1], shifted, found.astype(np.float16), found.T):
        plain = np.ascontiguousarray(odd).astype(np.float64)
        compute = partial(Products(len(odd)).of, Rows(odd))
        for one in on_all_levels(compute):
            np.testing.assert_array_equal(one, Products(len(odd)).of(Rows(plain)))


@needs_kernels
@settings(max_examples=150, deadline=None)
@given(
    values(),
    st.integers(1, 3000),
    st.integers(1, 300),
    st.integers(0, 4),
    st.integers(1, 3),
    st.integers(0, 1),
)
def test_squares_of_sides_have_the_same_bits(
    found: Array, period: int, run: int, block: int, every: int, origin: int
) -> None:
    side = Side(max(period, run + 1), run)
    rows = Rows(found, origin_of(found, origin))

    def summed() -> Array:
        total = np.ones((len(found), side.parts))
        side.add(total, rows, block * BLOCK_COLUMNS, every)
        return total

    with np.errstate(over="ignore"):
        first, *others = on_all_levels(summed)
    for other in others:
        np.testing.assert_array_equal(other, first)


@pytest.mark.parametrize("choice", ["off", *library.available()])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_beyond_the_arithmetic_are_seen(choice: str, dtype: type) -> None:
    levels.use(choice)
    for size in (0, 1, 17, 1000):
        found: Array = np.full(size, np.finfo(np.float32).max, dtype)
        assert in_range(found)
        for place in (0, size // 2, size - 1) if size else ():
            for bad in (np.nan, np.inf, -np.inf, *([-1e39] if dtype is np.float64 else [])):
                spoiled = found.copy()
                spoiled[place] = bad
                assert not in_range(spoiled)


def test_the_version_says_what_computes(ariba: Ariba) -> None:
    best = list(library.available())[-1:] or ["none, "]
    assert ariba("--version").stdout.count(b"\n") == 1
    said = ariba("--version", "-v", ARIBA_NATIVE="auto").stdout.decode()
    assert said.splitlines()[1].startswith(f"native kernels: {best[0]}")
    said = ariba("--version", "-v", ARIBA_NATIVE="off").stdout.decode()
    assert said.splitlines()[1] == "native kernels: none, they are switched off"
    refused = ariba("-v", "audit", "nothing")
    assert refused.returncode == 2
    assert refused.stderr.count(b"\n") == 1


def test_kernels_that_cannot_be_had_are_refused(ariba: Ariba) -> None:
    refused = ariba("--version", ARIBA_NATIVE="sse9")
    assert refused.returncode == 2
    assert refused.stderr.startswith(b"error: unknown kernels 'sse9'; use one of auto, off, ")


@needs_kernels
def test_reports_are_the_same_bytes(ariba: Ariba) -> None:
    arguments = ["audit", FIXTURES / "attacked", "-f", "json", "--detector", "panel"]
    others = ["--detector", "mahalanobis", "--detector", "cosine", "--detector", "sign"]
    first, *digests = (
        json.loads(ariba(*arguments, *others, ARIBA_NATIVE=one).stdout)["result_sha256"]
        for one in (levels.OFF, *library.available())
    )
    assert digests == [first] * len(library.available())


def test_kernels_that_cannot_be_put_in_place_are_done_without(
    tmp_path: "Path", monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(build, "LIBRARY", tmp_path / "file" / "kernels.so")
    assert build.compile_kernels().endswith("file/kernels.so: Not a directory")


def test_kernels_of_another_source_are_not_used(
    tmp_path: "Path", monkeypatch: pytest.MonkeyPatch
) -> None:
    levels.use(levels.AUTO)
    monkeypatch.setattr(library, "source_hash", lambda: "another")
    library._load.cache_clear()
    try:
        assert library.kernels() is None
        assert "out of date" in library.kernels_in_words() or not levels.LIBRARY.exists()
        monkeypatch.setattr(library, "LIBRARY", tmp_path / "kernels.so")
        library._load.cache_clear()
        assert "not compiled" in library.kernels_in_words()
        (tmp_path / "kernels.so").write_bytes(b"no library")
        library._load.cache_clear()
        assert library.kernels() is None
        assert library.kernels_in_words().startswith("none, ")
    finally:
        monkeypatch.undo()
        library._load.cache_clear()


@needs_kernels
@settings(max_examples=100, deadline=None)
@given(values(), st.integers(1, 80), st.integers(0, 2))
def test_moments_are_as_near_as_they_say(found: Array, dimension: int, origin: int) -> None:
    """To the last bit the same on all levels, and within the bound of exact sums."""
    size = found.shape[1] // dimension * dimension
    rows = Rows(found[:, :size], origin_of(found[:, :size], origin))
    with np.errstate(over="ignore", invalid="ignore"):
        plain, *others = on_all_levels(lambda: second_moments(rows, dimension))
        block = rows.differences()
        centre(block)
        fragments = block.reshape(-1, dimension)
        magnitudes = np.abs(fragments).T @ np.abs(fragments)
    for sums, squares, roundings in others:
        np.testing.assert_array_equal(sums, others[0][0])
        np.testing.assert_array_equal(squares, others[0][1])
        np.testing.assert_allclose(squares, plain[1], rtol=1e-12)
        off = 2.0**-52 * (roundings + plain[2])
        if np.isfinite(magnitudes).all():
            assert (np.abs(sums - plain[0]) <= off * magnitudes + 1e-300).all()


@needs_kernels
@pytest.mark.parametrize("participants", [4095, 4096, 4097])
@pytest.mark.parametrize(("dimension", "fragments"), [(9, 71), (3, 1), (5, 33)])
def test_of_thousands_of_participants_strips_are_shorter_and_results_the_same(
    participants: int, dimension: int, fragments: int
) -> None:
    draw = np.random.default_rng(participants)
    sent = draw.standard_normal((participants, fragments * dimension), dtype=np.float32)
    matrix = np.tril(draw.standard_normal((dimension, dimension)))
    rows, origin = Rows(sent, sent[1].astype(np.float64)), sent[1].astype(np.float64)
    moved = sent - origin
    less = (moved - moved.mean(axis=0)).reshape(-1, dimension)
    expected = np.square(less @ matrix.T).sum(axis=1).reshape(participants, fragments)

    def both() -> tuple[Array, Array, Array, float]:
        out = np.empty((participants, fragments))
        largest = squared_distances(rows, matrix, out)
        return *second_moments(rows, dimension)[:2], out, largest

    for products_, squares, out, largest in on_all_levels(both):
        np.testing.assert_allclose(products_, less.T @ less, rtol=1e-9, atol=1e-8)
        np.testing.assert_allclose(squares, np.square(moved).sum(axis=1), rtol=1e-9)
        np.testing.assert_allclose(out, expected, rtol=1e-9, atol=1e-12)
        assert largest == out.max()


@needs_kernels
@settings(max_examples=100, deadline=None)
@given(values(), st.integers(1, 80), st.integers(0, 2), st.integers(0, 2**32))
def test_distances_are_those_of_the_centred_fragments(
    found: Array, dimension: int, origin: int, seed: int
) -> None:
    size = found.shape[1] // dimension * dimension
    rows = Rows(found[:, :size], origin_of(found[:, :size], origin))
    if size == 0:
        return
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((random.integers(1, dimension + 1), dimension))

    def squared() -> tuple[Array, float]:
        out = np.full((len(found), size // dimension + 3), -1.0)
        largest = squared_distances(rows, matrix, out[:, 1:-2])
        assert (out[:, [0, -1, -2]] == -1).all()
        return out[:, 1:-2], largest

    with np.errstate(over="ignore", invalid="ignore"):
        plain, *others = on_all_levels(squared)
    for one, largest in others:
        np.testing.assert_array_equal(one, others[0][0])
        np.testing.assert_allclose(one, plain[0], rtol=1e-9, atol=1e-10 * plain[1])
        assert largest == one.max()


@needs_kernels
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3000), st.integers(0, 2**32))
def test_bins_are_counted_alike(size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    squared = np.square(random.standard_normal(size)) * 10.0 ** random.integers(-300, 300)
    squared[random.random(size) < 0.1] = 0
    bins = Bins.up_to(100.0)
    parts = np.cumsum(random.random(BINS) < 1e-4, dtype=np.int32)

    def counted() -> list[Any]:
        counts, by_part = np.zeros(BINS, np.int64), np.zeros(parts[-1] + 1, np.int64)
        bins.count(squared, counts)
        return [counts.tobytes(), bins.take(squared, parts, by_part).tolist(), by_part.tolist()]

    first, *others = on_all_levels(counted)
    assert all(other == first for other in others)


@needs_kernels
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 70), st.integers(0, 200), st.integers(0, 2**32))
def test_forward_substitution_has_the_same_bits(rank: int, size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    factor = np.tril(random.standard_normal((rank, rank))) + 3 * np.eye(rank)
    right = random.standard_normal((rank, size)) * 10.0 ** random.integers(-300, 150)
    with np.errstate(over="ignore", invalid="ignore"):
        first, *others = on_all_levels(lambda: solved_squares(factor, right.copy()))
        if rank and np.isfinite(first).all():
            plain = np.square(np.linalg.solve(factor, right)).sum(axis=0)
            np.testing.assert_allclose(first, plain, rtol=1e-6)
    for other in others:
        np.testing.assert_array_equal(other, first)


@needs_kernels
@settings(max_examples=80, deadline=None)
@given(st.integers(0, 90), st.integers(1, 90), st.integers(0, 2**32))
def test_factors_have_the_same_bits(d: int, rank: int, seed: int) -> None:
    """Those of singular matrices too, and where variances are equal."""
    random = np.random.default_rng(seed)
    root = random.standard_normal((d, rank)) * 10.0 ** random.integers(-8, 8, (d, 1))
    root[::3] = root[: len(root[::3])][:: 1 if seed % 2 else -1]
    covariance = root @ root.T
    covariance = np.tril(covariance) + np.tril(covariance, -1).T
    least = d * 2.0**-52 * covariance.diagonal().max(initial=0.0)
    first, *others = on_all_levels(lambda: pivoted_cholesky(covariance, least))
    pivots, factor = first
    for own_pivots, own_factor in others:
        np.testing.assert_array_equal(own_pivots, pivots)
        np.testing.assert_array_equal(own_factor, factor)
    if d:
        size = np.sqrt(covariance.diagonal())
        off = np.abs(factor @ factor.T - covariance[np.ix_(pivots, pivots)])
        assert (off <= 1e-10 * size[pivots] * size[pivots][:, None] + 1e-300).all()
