"""The Mahalanobis distance by triangular solves that are the same on every machine."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ariba_cli.native.factoring import pivoted_cholesky, solved_squares

Float64 = npt.NDArray[np.float64]

EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Whitening:
    """The pivoted Cholesky factor of a covariance Σ of shape (d, d).

    A fragment x lies in the range of Σ, being one of those that Σ was made of. There
    xᵀΣ⁺x equals ‖L⁻¹x‖² over the pivot coordinates alone, so that a singular Σ needs
    neither an eigendecomposition nor a pseudo-inverse.

    Attributes
    ----------
    pivots : int array of shape (rank,)
        The coordinates that carry the variance.
    factor : float64 array of shape (rank, rank)
        L, lower triangular.
    variances : float64 array of shape (d,)
        The diagonal of Σ.
    exponent : int
        The exponent for which Σ is the covariance of the fragments times 2^−exponent.
    """

    pivots: npt.NDArray[np.intp]
    factor: Float64
    variances: Float64
    exponent: int

    @property
    def rank(self) -> int:
        """The dimension of the space that the fragments fill."""
        return len(self.pivots)

    def distances(self, rows: Float64) -> Float64:
        """Return sqrt(xᵀ Σ⁺ x) for rows x, from shape (rows, d) to shape (rows,).

        See `solved_squares`: whatever the processor, the result is the same.
        """
        right = np.ldexp(rows[:, self.pivots].T, -self.exponent)
        distances: Float64 = np.sqrt(solved_squares(self.factor, right))
        return distances

    @cached_property
    def matrix(self) -> Float64:
        """The matrix W of shape (rank, d): the distance of x is ‖W·x‖ up to rounding."""
        matrix = np.zeros((self.rank, len(self.variances)))
        # Of denormal values it may be more than float64 holds; distances are then found exactly.
        with np.errstate(over="ignore"):
            matrix[:, self.pivots] = np.ldexp(np.linalg.inv(self.factor), -self.exponent)
        return matrix

    @cached_property
    def sensitivity(self) -> float:
        """The sensitivity τ = ‖W·D‖² in the Frobenius norm, where D² is the diagonal of Σ.

        It is the trace of the inverse of the correlation matrix, and so no less than its spectral
        norm: d where coordinates are independent, large where one nearly follows from others.
        """
        deviations = np.ldexp(np.sqrt(self.variances), self.exponent)
        with np.errstate(over="ignore", invalid="ignore"):
            return float(np.square(self.matrix * deviations).sum())


def whitening(covariance: Float64, exponent: int = 0) -> Whitening:
    """Factor the covariance of fragments times 2^−exponent.

    Directions whose remaining variance is at most d·eps of the largest are left out: float64
    cannot resolve them.
    """
    least = len(covariance) * EPS * covariance.diagonal().max(initial=0.0)
    pivots, factor = pivoted_cholesky(covariance, least)
    return Whitening(pivots, factor, covariance.diagonal().copy(), exponent)
