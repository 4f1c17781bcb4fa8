"""The second moments of all fragments, in sums that no order of additions can change.

Each coordinate is scaled by a power of two into (−1, 1), rounded to a multiple of
2⁻⁵⁴, and split into three integers of 18 bits. The products of such integers, and the
sums of up to 2¹⁷ of them, are exact in float64, so BLAS may add them in any order, on
any number of threads, and fuse operations: the result is the same. Sums of blocks
are exact in int64, and what a sum has beyond 32 bits is carried to a second one before the
first overflows. Only the input and the final combination are rounded, once and by the
same rule: 54 bits of each value against the 53 of float64.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_BITS = 18
_SLICES = 3
_PAIRS = [(first, second) for first in range(_SLICES) for second in range(first, _SLICES)]
ROWS_PER_PRODUCT = 2 ** (53 - 2 * _BITS)
# The products of so many rows fit int64.
_MOST_ROWS = 2 ** (62 - 2 * _BITS)
_LOW_BITS = 32


class Moments:
    """The sum Σ x·xᵀ over rows x of d values, each coordinate scaled by 2^−exponent.

    Parameters
    ----------
    exponents : int array of shape (d,)
        The exponents, with |x_a| < 2^exponents[a] for every row.
    """

    def __init__(self, exponents: npt.NDArray[np.intc]) -> None:
        d = len(exponents)
        self._exponents = exponents
        self._low = {pair: np.zeros((d, d), dtype=np.int64) for pair in _PAIRS}
        self._high = {pair: np.zeros((d, d), dtype=np.int64) for pair in _PAIRS}
        # As many rows as the lower parts may amount to.
        self._rows = 0
        self._workspace = np.empty(0)

    def add(self, rows: Float64) -> None:
        """Add rows, an array of shape (any, d)."""
        for start in range(0, len(rows), ROWS_PER_PRODUCT):
            part = rows[start : start + ROWS_PER_PRODUCT]
            self._make_room(len(part))
            slices = self._integers(part)
            for first, second in _PAIRS:
                product = slices[first].T @ slices[second]
                self._low[first, second] += product.astype(np.int64)

    def join(self, other: "Moments") -> None:
        """Add the rows of other moments, which have the same exponents."""
        self._make_room(other._rows)
        for pair in _PAIRS:
            self._low[pair] += other._low[pair]
            self._high[pair] += other._high[pair]

    def sums(self, exponent: int) -> Float64:
        """Return the sum so far, of shape (d, d), for rows that are all scaled by 2^−exponent."""
        total = np.zeros((len(self._exponents), len(self._exponents)))
        # From the least significant products to the most, so that little is lost.
        for first, second in sorted(_PAIRS, key=sum, reverse=True):
            low, high = self._low[first, second], self._high[first, second]
            if first != second:
                low, high = low + low.T, high + high.T
            low, high = _carried(low, high)
            # The one rounding of the sum: both parts are exact in float64.
            product = np.ldexp(high.astype(np.float64), _LOW_BITS) + low
            total += np.ldexp(product, -_BITS * (first + second + 2))
        common = self._exponents - exponent
        scaled: Float64 = np.ldexp(total, common[:, None] + common)
        return scaled

    def _make_room(self, rows: int) -> None:
        """Count rows that are about to be added, and carry what would overflow with them."""
        if self._rows + rows > _MOST_ROWS:
            for pair in _PAIRS:
                self._low[pair], self._high[pair] = _carried(self._low[pair], self._high[pair])
            # What is left is less than the product of one row.
            self._rows = 1
        self._rows += rows

    def _integers(self, rows: Float64) -> Float64:
        """Return rows of shape (any, d) as integers of 18 bits, of shape (3, any, d)."""
        if (_SLICES + 1) * rows.size > self._workspace.size:
            self._workspace = np.empty((_SLICES + 1) * rows.size)
        parts = self._workspace[: (_SLICES + 1) * rows.size].reshape(_SLICES + 1, *rows.shape)
        slices, rest = parts[:_SLICES], parts[_SLICES]
        np.ldexp(rows, -self._exponents, out=rest)
        for whole in slices:
            rest *= 2.0**_BITS
            np.rint(rest, out=whole)
            rest -= whole
        return slices


def joined(exponents: npt.NDArray[np.intc], parts: Iterable[Moments]) -> Moments:
    """Return the moments of all parts together."""
    moments = Moments(exponents)
    for part in parts:
        moments.join(part)
    return moments


def _carried(low: Integers, high: Integers) -> tuple[Integers, Integers]:
    """Return the same sums, with 32 bits in the lower parts."""
    return low & (2**_LOW_BITS - 1), high + (low >> _LOW_BITS)


def exponents_of(magnitudes: Float64) -> npt.NDArray[np.intc]:
    """Return the least exponents e with magnitudes < 2^e; for zero, the least of the others."""
    exponents: npt.NDArray[np.intc] = np.frexp(magnitudes)[1]
    if magnitudes.any():
        exponents[magnitudes == 0] = exponents[magnitudes > 0].min()
    return exponents
