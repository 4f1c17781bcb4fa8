"""The sums over fragments are exact, so no order of additions can change them."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ariba_cli.scoring import moments as module
from ariba_cli.scoring.moments import Moments, exponents_of

values = st.floats(-1e6, 1e6, allow_subnormal=False)
matrices = arrays.arrays(
    np.float64, st.tuples(st.integers(1, 40), st.integers(1, 5)), elements=values
)


def exact(rows: np.ndarray, exponents: np.ndarray, exponent: int) -> list[list[Fraction]]:
    """The same sums in fractions, of the values rounded as the module says."""
    scaled = [
        [
            int(np.rint(np.ldexp(x, 54 - int(e)))) * Fraction(2) ** (int(e) - 54 - exponent)
            for x, e in zip(row, exponents, strict=True)
        ]
        for row in rows
    ]
    d = rows.shape[1]
    return [[sum(row[a] * row[b] for row in scaled) for b in range(d)] for a in range(d)]  # type: ignore[misc]


@settings(max_examples=100, deadline=None)
@given(matrices)
def test_sums_are_those_of_exact_fractions(rows: np.ndarray) -> None:
    exponents = exponents_of(np.abs(rows).max(axis=0))
    moments = Moments(exponents)
    moments.add(rows)
    exponent = int(exponents.max())
    pairs = zip(moments.sums(exponent), exact(rows, exponents, exponent), strict=True)
    for found, expected in pairs:
        for one, other in zip(found, expected, strict=True):
            # Nine roundings in the final combination, and nothing else.
            assert abs(Fraction(float(one)) - other) <= Fraction(len(rows) * 9, 2**53)


@settings(max_examples=100, deadline=None)
@given(matrices, st.integers(0, 2**32))
def test_neither_the_order_nor_the_blocks_change_a_bit(rows: np.ndarray, seed: int) -> None:
    exponents = exponents_of(np.abs(rows).max(axis=0))
    at_once, in_parts = Moments(exponents), Moments(exponents)
    at_once.add(rows)
    for row in np.random.default_rng(seed).permutation(rows):
        in_parts.add(row[None])
    assert at_once.sums(0).tobytes() == in_parts.sums(0).tobytes()


def test_the_largest_sums_are_exact() -> None:
    """All values just below the power of two: the products are as large as they get."""
    rows = np.full((module.ROWS_PER_PRODUCT + 1, 1), np.nextafter(1.0, 0.0))
    moments = Moments(exponents_of(rows.max(axis=0)))
    moments.add(rows)
    assert moments.sums(0)[0, 0] == pytest.approx(len(rows), rel=1e-15)


@pytest.mark.parametrize("most", [3, 5, 40])
def test_carrying_changes_no_bit(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    rows = np.random.default_rng(most).standard_normal((90, 4))
    exponents = exponents_of(np.abs(rows).max(axis=0))
    without = Moments(exponents)
    without.add(rows)
    monkeypatch.setattr(module, "_MOST_ROWS", most)
    parts = [Moments(exponents) for _ in range(3)]
    for place, row in enumerate(rows):
        parts[place % 3].add(row[None])
    carried = Moments(exponents)
    for part in parts:
        carried.join(part)
    assert any(part.any() for part in carried._high.values())
    assert carried.sums(0).tobytes() == without.sums(0).tobytes()


def test_more_rows_than_int64_holds_are_added_up() -> None:
    """It doubles the sums of a few rows until they are those of 2^40."""
    moments = Moments(exponents_of(np.ones(1)))
    moments.add(np.full((2**10, 1), 0.75))
    for _ in range(30):
        other = Moments(exponents_of(np.ones(1)))
        other.join(moments)
        moments.join(other)
    assert moments.sums(0)[0, 0] == 0.75**2 * 2**40
