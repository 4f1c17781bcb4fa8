"""Factors of a covariance, and forward substitution, with the same operations everywhere."""

import numpy as np
import numpy.typing as npt

from ariba_cli.native.library import Float64, kernels, scratch

Indices = npt.NDArray[np.int64]

# As many columns are solved at a time.
_STRIP = 64


def pivoted_cholesky(covariance: Float64, least: float) -> tuple[Indices, Float64]:
    """Factor a symmetric matrix, the largest remaining variance first.

    Parameters
    ----------
    covariance : float64 array of shape (d, d)
        The matrix.
    least : float
        The bound up to which variances are left out.

    Returns
    -------
    pivots : int array of shape (rank,)
        The coordinates, in the order in which they were taken.
    factor : float64 array of shape (rank, rank)
        L, lower triangular, for the coordinates in that order.
    """
    rest, d, compiled = covariance.copy(), len(covariance), kernels()
    factor, order = np.zeros((d, d)), np.arange(d)
    if compiled is not None:
        (memory,) = scratch(compiled.cholesky_scratch(d))
        rank = compiled.cholesky(rest.ctypes, d, least, memory.ctypes, factor.ctypes, order.ctypes)
        return order[:rank], factor[:rank, :rank]
    rank = 0
    for step in range(d):
        pivot = step + int(rest.diagonal()[step:].argmax())
        if rest[pivot, pivot] <= least:
            break
        for matrix in (rest, factor, order):
            matrix[[step, pivot]] = matrix[[pivot, step]]
        rest[:, [step, pivot]] = rest[:, [pivot, step]]
        factor[step:, step] = rest[step:, step] / np.sqrt(rest[step, step])
        below = factor[step + 1 :, step]
        rest[step + 1 :, step + 1 :] -= below[:, None] * below
        rank += 1
    return order[:rank], factor[:rank, :rank]


def solved_squares(factor: Float64, right: Float64) -> Float64:
    """Return ‖L⁻¹·x‖² for each column x.

    Parameters
    ----------
    factor : float64 array of shape (rank, rank)
        L, lower triangular.
    right : float64 array of shape (rank, columns)
        The columns, which may be overwritten.
    """
    rank, columns = right.shape
    squared, compiled = np.zeros(columns), kernels()
    if compiled is not None:
        factor, right = np.ascontiguousarray(factor), np.ascontiguousarray(right)
        (solved,) = scratch(rank * _STRIP)
        compiled.solve(factor.ctypes, rank, right.ctypes, columns, solved.ctypes, squared.ctypes)
        return squared
    for step in range(rank):
        found = right[step]
        found /= factor[step, step]
        squared += found * found
        right[step + 1 :] -= factor[step + 1 :, step, None] * found
    return squared
