"""The share of an update that falls on each input and each output of a layer: sums of squares."""

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ariba_cli.native.columns import run_squares
from ariba_cli.native.library import Float64, Rows, kernels, scratch
from ariba_cli.native.products import BLOCK_COLUMNS

# Of a layer with more inputs or outputs, neighbours are taken together.
MOST_PARTS = 2**11


@dataclass(frozen=True)
class Side:
    """The places of the inputs' values, or of the outputs', of a weight in storage order.

    Attributes
    ----------
    period : int
        The number of values after which the places repeat.
    run : int
        The number of consecutive values of one part, which is one or several neighbouring ones.
    """

    period: int
    run: int

    @property
    def parts(self) -> int:
        """Return the number of parts."""
        return -(-self.period // self.run)

    def add(self, total: Float64, rows: Rows, first: int, every: int = 1) -> None:
        """Add the squares of consecutive values of all updates to the sums of their parts.

        Parameters
        ----------
        total : C-contiguous float64 array of shape (n, parts)
            The sums so far, which are changed.
        rows : Rows
            The values.
        first : int
            The place of the first value in the layer, at the start of a block.
        every : int, optional
            The step between the blocks of the layer that are taken, from block 0.
        """
        n, columns = rows.values.shape
        compiled, taken = kernels(), rows.for_kernels()
        if compiled is not None and taken is not None:
            compiled.side(
                ctypes.byref(taken),
                n,
                columns,
                first,
                every,
                self.period,
                self.run,
                self.parts,
                np.empty(BLOCK_COLUMNS + 1, np.int64).ctypes,
                *(one.ctypes for one in scratch(BLOCK_COLUMNS, BLOCK_COLUMNS, self.parts)),
                total.ctypes,
            )
            return
        for start in range(0, columns, BLOCK_COLUMNS):
            if (first + start) // BLOCK_COLUMNS % every == 0:
                block = rows.columns(slice(start, start + BLOCK_COLUMNS))
                self._add_block(total, block, first + start)

    def _add_block(self, total: Float64, block: Rows, first: int) -> None:
        places = np.arange(first, first + block.values.shape[1]) % self.period
        starts = np.flatnonzero(places % self.run == 0)
        if not len(starts) or starts[0] > 0:
            starts = np.concatenate([[0], starts])
        self._fold(total, run_squares(block, starts), int(places[0]) // self.run)

    def _fold(self, total: Float64, sums: Float64, start: int) -> None:
        """Add the sums of consecutive runs, the first of which belongs to part `start`."""
        head = min(self.parts - start, sums.shape[1])
        total[:, start : start + head] += sums[:, :head]
        rounds, tail = divmod(sums.shape[1] - head, self.parts)
        if rounds:
            whole = sums[:, head : head + rounds * self.parts]
            total += whole.reshape(len(total), rounds, self.parts).sum(axis=1)
        total[:, :tail] += sums[:, sums.shape[1] - tail :]


def sides_of(shape: Sequence[int]) -> tuple[Side, ...]:
    """Return the sides of a weight of shape (out, in, …) that have several parts.

    The outputs come first. A bias has no sides, since its parts are single values.
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
