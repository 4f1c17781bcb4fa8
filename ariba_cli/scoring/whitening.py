"""The Mahalanobis distance by triangular solves that are the same on every machine."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Whitening:
    """The pivoted Cholesky factor of a covariance Σ of shape (d, d).

    Attributes
    ----------
    pivots : the coordinates that carry the variance, of shape (rank,).
    factor : lower triangular, of shape (rank, rank).

    A fragment x lies in the range of Σ, being one of those that Σ was made of. There
    xᵀΣ⁺x equals ‖L⁻¹x‖² over the pivot coordinates alone, so that a singular Σ needs
    neither an eigendecomposition nor a pseudo-inverse.
    """

    pivots: npt.NDArray[np.intp]
    factor: Float64

    @property
    def rank(self) -> int:
        """The dimension of the space that the fragments fill."""
        return len(self.pivots)

    def distances(self, rows: Float64) -> Float64:
        """sqrt(xᵀ Σ⁺ x) for rows x, from shape (rows, d) to shape (rows,).

        Forward substitution in NumPy's elementwise operations: one rounding each, in a
        fixed order, whatever the processor.
        """
        rest = np.ascontiguousarray(rows[:, self.pivots].T)
        squared = np.zeros(len(rows))
        for step in range(self.rank):
            solved = rest[step]
            solved /= self.factor[step, step]
            squared += solved * solved
            rest[step + 1 :] -= self.factor[step + 1 :, step, None] * solved
        distances: Float64 = np.sqrt(squared)
        return distances


def whitening(covariance: Float64) -> Whitening:
    """Factor a covariance.

    Directions whose remaining variance is at most d·eps of the largest are left out: no
    more of them than that is known in float64.
    """
    rest = covariance.copy()
    d = len(rest)
    least = d * np.finfo(np.float64).eps * rest.diagonal().max(initial=0.0)
    order = np.arange(d)
    factor = np.zeros((d, d))
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
    return Whitening(order[:rank], factor[:rank, :rank])
