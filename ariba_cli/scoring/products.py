"""Inner products of a few long rows, to the last bit the same on every machine.

Each row of a block is scaled by a power of two of its own, rounded to a multiple of 2⁻⁴¹ of
that, and split into two integers of 21 bits. Products of such integers, and sums of up to
2¹¹ of them, are exact in float64, so that BLAS may add them in any order: what is rounded is
the input, once, and the three sums when they are put together, in one order.
"""

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

# Columns of a block: 2·20 bits of a product and 11 of their number fit the 53 of float64.
BLOCK_COLUMNS = 2**11
_HIGH_BITS = 20
_LOW_BITS = 21
# The power of two of smaller values could not be held.
_LEAST_EXPONENT = -900


class BlockProducts:
    """The products of blocks of rows, one block after the other in the same memory.

    Parameters
    ----------
    rows : int
        How many rows there are.
    """

    def __init__(self, rows: int) -> None:
        self._slices = np.empty((2 * rows, BLOCK_COLUMNS))

    def of(self, block: Float64) -> Float64:
        """Return X·Xᵀ for a block X, whose values are overwritten.

        Parameters
        ----------
        block : float64 array of shape (rows, columns)
            Finite values, in at most `BLOCK_COLUMNS` columns.

        Returns
        -------
        float64 array of shape (rows, rows)
            Symmetric to the last bit.
        """
        n, columns = block.shape
        exponents = _exponents(block)
        block *= np.ldexp(1.0, _HIGH_BITS - exponents)[:, None]
        slices = self._slices[:, :columns]
        high, low = slices[:n], slices[n:]
        np.rint(block, out=high)
        np.subtract(block, high, out=low)
        low *= 2.0**_LOW_BITS
        np.rint(low, out=low)
        products = slices @ slices.T
        # From the least significant products to the most, so that little is lost.
        total = np.ldexp(products[n:, n:], -_LOW_BITS)
        total += products[:n, n:] + products[n:, :n]
        total = np.ldexp(total, -_LOW_BITS)
        total += products[:n, :n]
        scale = exponents - _HIGH_BITS
        scaled: Float64 = np.ldexp(total, scale[:, None] + scale)
        return scaled


def exact_square(matrix: Float64) -> Float64:
    """Return M·Mᵀ of a small matrix of shape (n, any); see `BlockProducts`."""
    products = BlockProducts(len(matrix))
    total = np.zeros((len(matrix), len(matrix)))
    for start in range(0, matrix.shape[1], BLOCK_COLUMNS):
        total += products.of(matrix[:, start : start + BLOCK_COLUMNS].copy())
    return total


def _exponents(block: Float64) -> npt.NDArray[np.intc]:
    """Return, for each row, the least e with all its |values| < 2^e."""
    magnitudes = np.maximum(block.max(axis=1, initial=0.0), -block.min(axis=1, initial=0.0))
    exponents: npt.NDArray[np.intc] = np.maximum(np.frexp(magnitudes)[1], _LEAST_EXPONENT)
    return exponents
