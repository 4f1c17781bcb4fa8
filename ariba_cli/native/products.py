"""Inner products of a few long rows, to the last bit the same on every machine.

Each row of a block is scaled by a power of two of its own, and rounded to integers of 41 bits.
The sum of their products in a block is computed exactly, and rounded once. So all ways to
compute it give the same: in NumPy, two integers of 20 and 21 bits stand for each, whose products,
and sums of up to 2¹¹ of them, are exact in float64, so that BLAS may add them in any order.
"""

import ctypes

import numpy as np
import numpy.typing as npt

from ariba_cli.native.compensated import Compensated
from ariba_cli.native.library import Float64, Kernels, Rows, kernels, scratch

# Columns of a block: 2·20 bits of a product and 11 of their number fit the 53 of float64.
BLOCK_COLUMNS = 2**11
_HIGH_BITS = 20
_LOW_BITS = 21
_BITS = _HIGH_BITS + _LOW_BITS
# The power of two of smaller values could not be held.
_LEAST_EXPONENT = -900


class Products:
    """The products of some rows.

    Parameters
    ----------
    height : int
        The number of rows.
    """

    def __init__(self, height: int) -> None:
        self._height = height

    def of(self, rows: Rows, *more: Float64) -> Float64:
        """Return X·Xᵀ, where X has the differences of rows, followed by some more rows.

        Parameters
        ----------
        rows : Rows
            The rows, of finite values.
        *more : float64 arrays of shape (columns,)
            More rows of finite values.

        Returns
        -------
        float64 array of shape (height, height)
            The products, symmetric to the last bit; NaN if some value is not finite after all.
        """
        compiled, taken = kernels(), rows.for_kernels()
        if compiled is not None and taken is not None:
            return self._compiled(compiled, taken, rows.values.shape, more)
        total = Compensated((self._height, self._height))
        for start in range(0, rows.values.shape[1], BLOCK_COLUMNS):
            part = slice(start, start + BLOCK_COLUMNS)
            block = np.empty((self._height, min(BLOCK_COLUMNS, rows.values.shape[1] - start)))
            block[: len(rows.values)] = rows.columns(part).differences()
            for row, one in enumerate(more, len(rows.values)):
                block[row] = one[part]
            total.add(self._of_block(block))
        return total.total

    def _compiled(
        self,
        compiled: Kernels,
        rows: ctypes.Structure,
        shape: tuple[int, ...],
        more: tuple[Float64, ...],
    ) -> Float64:
        height = self._height
        (memory,) = scratch(compiled.gram_scratch(height))
        extra = [np.ascontiguousarray(one) for one in more]
        pointers = (ctypes.c_void_p * len(extra))(*(one.ctypes.data for one in extra))
        exponents = np.empty(height, np.intc)
        sums = np.zeros((2, height, height))
        failed = compiled.gram(
            ctypes.byref(rows),
            *shape,
            pointers,
            len(extra),
            memory.ctypes,
            exponents.ctypes,
            sums[0].ctypes,
            sums[1].ctypes,
        )
        found: Float64 = np.full((height, height), np.nan) if failed else sums[0] + sums[1]
        return found

    def _of_block(self, block: Float64) -> Float64:
        """Return X·Xᵀ for a block X, whose values are overwritten."""
        n, columns = block.shape
        magnitudes = np.maximum(block.max(axis=1, initial=0.0), -block.min(axis=1, initial=0.0))
        if not np.isfinite(magnitudes).all():
            return np.full((n, n), np.nan)
        exponents = np.maximum(np.frexp(magnitudes)[1], _LEAST_EXPONENT)
        block *= np.ldexp(1.0, _HIGH_BITS - exponents)[:, None]
        (memory,) = scratch(2 * n * columns)
        slices = memory.reshape(2 * n, columns)
        high, low = slices[:n], slices[n:]
        np.rint(block, out=high)
        np.subtract(block, high, out=low)
        low *= 2.0**_LOW_BITS
        np.rint(low, out=low)
        products = slices @ slices.T
        # Bits from 2⁴² on, and those below, are put together with one rounding.
        mask = (1 << _LOW_BITS) - 1
        least = products[n:, n:].astype(np.int64)
        middle = (products[:n, n:] + products[n:, :n]).astype(np.int64) + (least >> _LOW_BITS)
        most = products[:n, :n].astype(np.int64) + (middle >> _LOW_BITS)
        rest = ((middle & mask) << _LOW_BITS) | (least & mask)
        total = most.astype(np.float64) * 2.0 ** (2 * _LOW_BITS) + rest.astype(np.float64)
        scale = exponents - _BITS
        scaled: Float64 = np.ldexp(total, scale[:, None] + scale)
        return scaled


def exact_square(matrix: npt.NDArray[np.float64]) -> Float64:
    """Return M·Mᵀ of a small matrix of shape (n, any); see `Products`."""
    return Products(len(matrix)).of(Rows(matrix))
