"""The second moments of all fragments, in sums that no order of additions can change.

Each coordinate is scaled by a power of two into (−1, 1), rounded to a multiple of
2⁻⁵⁴, and split into three integers of 18 bits. The products of such integers, and the
sums of up to 2¹⁷ of them, are exact in float64, so BLAS may add them in any order, on
any number of threads, and fuse what it likes: the result is the same. Sums of blocks
are exact in int64. What is rounded, once and by the same rule, is the input and the
final combination: 54 bits of each value against the 53 of float64.
"""

import numpy as np
import numpy.typing as npt

from ariba_cli.errors import UsageError

Float64 = npt.NDArray[np.float64]

_BITS = 18
_SLICES = 3
ROWS_PER_PRODUCT = 2 ** (53 - 2 * _BITS)
MOST_ROWS = 2 ** (62 - 2 * _BITS)


class Moments:
    """Σ x·xᵀ over rows x of d values, each coordinate scaled by 2^−exponent.

    Parameters
    ----------
    exponents : int array of shape (d,), with |x_a| < 2^exponents[a] for every row.
    """

    def __init__(self, exponents: npt.NDArray[np.intc]) -> None:
        self._exponents = exponents
        width = _SLICES * len(exponents)
        self._products = np.zeros((width, width), dtype=np.int64)
        self._rows = 0

    @property
    def rows_worth_a_product(self) -> int:
        """How many rows to add at once: with fewer, wide sums cost more than the products."""
        return len(self._products)

    def add(self, rows: Float64) -> None:
        """Add rows, an array of shape (any, d).

        Raises
        ------
        UsageError
            When there are more rows than the exact sums can hold.
        """
        self._rows += len(rows)
        if self._rows > MOST_ROWS:
            raise UsageError(
                f"the layer has more than {MOST_ROWS:,} fragments; "
                "try a larger one, as --fragment filter"
            )
        for start in range(0, len(rows), ROWS_PER_PRODUCT):
            slices = _integers(np.ldexp(rows[start : start + ROWS_PER_PRODUCT], -self._exponents))
            self._products += (slices.T @ slices).astype(np.int64)

    def sums(self, exponent: int) -> Float64:
        """The sum so far, of shape (d, d), for rows that are all scaled by 2^−exponent."""
        d = len(self._exponents)
        total = np.zeros((d, d))
        # From the least significant products to the most, so that little is lost.
        for weight in range(2 * _SLICES, 1, -1):
            for first in range(max(1, weight - _SLICES), min(_SLICES, weight - 1) + 1):
                left = slice((first - 1) * d, first * d)
                right = slice((weight - first - 1) * d, (weight - first) * d)
                total += np.ldexp(self._products[left, right].astype(np.float64), -_BITS * weight)
        common = self._exponents - exponent
        scaled: Float64 = np.ldexp(total, common[:, None] + common)
        return scaled


def exponents_of(magnitudes: Float64) -> npt.NDArray[np.intc]:
    """The least exponents e with magnitudes < 2^e; for zero, the least of the others."""
    exponents: npt.NDArray[np.intc] = np.frexp(magnitudes)[1]
    if magnitudes.any():
        exponents[magnitudes == 0] = exponents[magnitudes > 0].min()
    return exponents


def _integers(scaled: Float64) -> Float64:
    """Values in (−1, 1) of shape (rows, d) as integers of 18 bits, of shape (rows, 3·d)."""
    slices = []
    rest = scaled
    for _ in range(_SLICES):
        rest = rest * 2.0**_BITS
        whole = np.rint(rest)
        slices.append(whole)
        rest = rest - whole
    return np.hstack(slices)
