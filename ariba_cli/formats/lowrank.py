"""A matrix that is given by two thin factors, such as an adapter's change of a layer."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class LowRank:
    """The matrix s·B·A, of which only requested values are ever formed.

    The sum over the rank goes from one term to the next in float64, so that the values
    depend neither on how many are requested at a time nor on a BLAS.

    Attributes
    ----------
    left : float64 array of shape (rows, r)
        B.
    right : float64 array of shape (r, columns)
        A.
    scale : float
        The scale s, a finite number.
    """

    left: npt.NDArray[np.float64]
    right: npt.NDArray[np.float64]
    scale: float

    @property
    def size(self) -> int:
        """Return the number of values of the matrix."""
        return len(self.left) * int(self.right.shape[1])

    @property
    def dtype(self) -> "np.dtype[np.float64]":
        """Return the type of the values."""
        return np.dtype(np.float64)

    def __getitem__(self, which: slice | npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
        """Return some of the values, which are counted row by row."""
        columns = max(1, self.right.shape[1])
        if isinstance(which, slice):
            start, stop, _ = which.indices(self.size)
            first, last = start // columns, -(-stop // columns)
            block = self._rows(self.left[first:last], self.right)
            return block.reshape(-1)[start - first * columns : stop - first * columns]
        rows, places = np.divmod(which, columns)
        return self._rows(self.left[rows], self.right[:, places], paired=True)

    def squares(self) -> float:
        """Return the sum of the squares of all values, ‖s·B·A‖².

        Two thin factors can stand for more values than could ever be formed. If there are more
        than r² of them, the sum is s²·Σ (BᵀB)∘(AAᵀ).
        """
        with np.errstate(over="ignore", invalid="ignore"):
            if self.size > len(self.right) ** 2:
                grams = (self.left.T @ self.left) * (self.right @ self.right.T)
                return max(0.0, self.scale**2 * float(grams.sum()))
            return float(np.square(self[:]).sum())

    def _rows(
        self,
        left: npt.NDArray[np.float64],
        right: npt.NDArray[np.float64],
        *,
        paired: bool = False,
    ) -> npt.NDArray[np.float64]:
        total = np.zeros(len(left) if paired else (len(left), right.shape[1]))
        with np.errstate(over="ignore", invalid="ignore"):
            for one, other in zip(left.T, right, strict=True):
                total += one * other if paired else one[:, None] * other
            total *= self.scale
        return total
