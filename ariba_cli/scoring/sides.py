"""How much of an update falls on each input and each output of a layer: sums of squares."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

# Of a layer with more inputs or outputs, neighbours are taken together.
MOST_PARTS = 2**11


@dataclass(frozen=True)
class Side:
    """Where the values of each input, or each output, of a weight lie in storage order.

    Attributes
    ----------
    period : int
        After how many values they come again.
    run : int
        How many values in a row belong to one, or to neighbouring ones.
    """

    period: int
    run: int

    @property
    def parts(self) -> int:
        """How many are told apart."""
        return -(-self.period // self.run)

    def add(self, total: Float64, squares: Float64, first: int) -> None:
        """Add up consecutive values of all updates by the part that they belong to.

        Parameters
        ----------
        total : float64 array of shape (n, parts)
            The sums so far, which are changed.
        squares : float64 array of shape (n, any)
            The values.
        first : int
            The place of the first of them in the layer.
        """
        places = np.arange(first, first + squares.shape[1]) % self.period
        starts = np.flatnonzero(places % self.run == 0)
        if not len(starts) or starts[0] > 0:
            starts = np.concatenate([[0], starts])
        if len(starts) < squares.shape[1]:
            squares = np.add.reduceat(squares, starts, axis=1)
        self._fold(total, squares, int(places[0]) // self.run)

    def _fold(self, total: Float64, sums: Float64, start: int) -> None:
        """Add sums of consecutive runs, the first of which belongs to part `start`."""
        head = min(self.parts - start, sums.shape[1])
        total[:, start : start + head] += sums[:, :head]
        rounds, tail = divmod(sums.shape[1] - head, self.parts)
        if rounds:
            whole = sums[:, head : head + rounds * self.parts]
            total += whole.reshape(len(total), rounds, self.parts).sum(axis=1)
        total[:, :tail] += sums[:, sums.shape[1] - tail :]


def sides_of(shape: Sequence[int]) -> tuple[Side, ...]:
    """Return the sides of a weight of shape (out, in, …) that have several parts.

    The outputs come first. A bias has none: its parts are single values.
    """
    values = math.prod(shape)
    if len(shape) < 2 or values == 0:
        return ()
    row, kernel = values // shape[0], math.prod(shape[2:])
    sides = [
        Side(values, row * -(-shape[0] // MOST_PARTS)),
        Side(row, kernel * -(-shape[1] // MOST_PARTS)),
    ]
    return tuple(side for side in sides if side.parts > 1)
