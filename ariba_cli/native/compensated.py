"""A sum that compensates its rounding errors (Neumaier 1974)."""

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


class Compensated:
    """A running sum of arrays with the error of two roundings, however many are added.

    The rounding error of each addition is found exactly, and summed separately (Knuth's TwoSum).
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._sum = np.zeros(shape)
        self._lost = np.zeros(shape)

    def add(self, part: Float64) -> None:
        """Add one more array."""
        before, self._sum = self._sum, self._sum + part
        added = self._sum - before
        self._lost += (before - (self._sum - added)) + (part - added)

    @property
    def total(self) -> Float64:
        """Return the sum so far."""
        return self._sum + self._lost
