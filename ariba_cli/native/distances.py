"""Second moments and squared distances of all fragments, with bounds on rounding errors.

Here the compiled code and NumPy may differ in the last bits; callers allow for the bounds.
"""

import ctypes

import numpy as np

from ariba_cli.native.centring import centre
from ariba_cli.native.library import Float64, Rows, kernels, scratch

# Wider fragments are left to BLAS, which is made for large matrices.
_WIDEST = 64
# Rows whose products are added by BLAS, in whatever order it likes, or by a kernel. In every
# order the sum of k products is off by at most k roundings of the sum of their magnitudes.
ROWS_PER_SUM = 256


def second_moments(rows: Rows, dimension: int) -> tuple[Float64, Float64, int]:
    """Return the sums over all fragments of some columns.

    Parameters
    ----------
    rows : Rows
        The values of n participants, in whole fragments.
    dimension : int
        The number of values per fragment, d.

    Returns
    -------
    products : float64 array of shape (d, d)
        Σ x·xᵀ over the fragments x, less the mean of all participants.
    squares : float64 array of shape (n,)
        Σ of the squared differences to the origin, for each participant.
    roundings : int
        The error bound of the products, as a number of roundings of Σ |x_a·x_b|.
    """
    n, columns = rows.values.shape
    compiled, taken = kernels(), rows.for_kernels()
    if compiled is not None and taken is not None and dimension <= _WIDEST:
        (memory,) = scratch(compiled.strip_scratch(n, dimension))
        sums, squares = np.zeros((2, dimension, dimension)), np.zeros(n)
        compiled.moments(
            ctypes.byref(taken),
            n,
            columns // dimension,
            dimension,
            memory.ctypes,
            sums[0].ctypes,
            sums[1].ctypes,
            squares.ctypes,
        )
        lower = np.tril(sums[0] + sums[1])
        return lower + np.tril(lower, -1).T, squares, ROWS_PER_SUM + 2
    block = rows.differences(*scratch(n * columns))
    squares = np.einsum("ij,ij->i", block, block)
    centre(block)
    products, roundings = _products(block.reshape(-1, dimension))
    return products, squares, roundings


def squared_distances(rows: Rows, whitening: Float64, out: Float64) -> float:
    """Write ‖W·x‖² of the fragments of some columns to `out`, and return the largest.

    Parameters
    ----------
    rows : Rows
        The values of n participants, in whole fragments.
    whitening : float64 array of shape (rank, d)
        The matrix W.
    out : float64 array of shape (n, fragments)
        The array that receives the results; each of its rows is contiguous.
    """
    n, columns = rows.values.shape
    rank, dimension = whitening.shape
    compiled, taken = kernels(), rows.for_kernels()
    if compiled is not None and taken is not None and dimension <= _WIDEST:
        (memory,) = scratch(compiled.strip_scratch(n, dimension))
        matrix = np.ascontiguousarray(whitening)
        bits = compiled.distances(
            ctypes.byref(taken),
            n,
            columns // dimension,
            dimension,
            matrix.ctypes,
            rank,
            memory.ctypes,
            out.ctypes,
            out.strides[0] // out.itemsize,
        )
        return float(np.int64(bits).view(np.float64))
    memory, more = scratch(n * columns, rank * n * columns // dimension)
    block, white = rows.differences(memory), more.reshape(rank, -1)
    centre(block)
    fragments = block.reshape(-1, dimension)
    np.matmul(whitening, fragments.T, out=white)
    np.multiply(white, white, out=white)
    out[:] = np.add.reduce(white, axis=0).reshape(n, -1)
    return float(out.max())


def _products(rows: Float64) -> tuple[Float64, int]:
    """Return Σ x·xᵀ over rows x, and its error bound as a number of roundings."""
    whole = len(rows) // ROWS_PER_SUM
    batches = rows[: whole * ROWS_PER_SUM].reshape(whole, ROWS_PER_SUM, rows.shape[1])
    rest = rows[whole * ROWS_PER_SUM :]
    products: Float64 = rest.T @ rest
    products += np.matmul(batches.transpose(0, 2, 1), batches).sum(axis=0)
    return products, ROWS_PER_SUM + whole + 1
