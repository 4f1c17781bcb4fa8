"""A sum that keeps what rounding takes from it (Neumaier 1974)."""

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


class Compensated:
    """A running sum of arrays, off by two roundings however many are added.

    The rounding of each addition is found exactly, and added up beside (Knuth's TwoSum).
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._sum = np.zeros(shape)
        self._lost = np.zeros(shape)

    def add(self, part: Float64) -> None:
        """Add one more."""
        before, self._sum = self._sum, self._sum + part
        added = self._sum - before
        self._lost += (before - (self._sum - added)) + (part - added)

    @property
    def total(self) -> Float64:
        """What was added so far."""
        return self._sum + self._lost
