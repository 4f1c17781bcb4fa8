"""Runs of fragments of all participants: what each pass over a layer works on, one by one.

A pass is a task that is called with every chunk, and a merge of its results. The results do not
depend on where the chunks begin, so that they may be found anywhere: on this machine, one chunk
after the other, or by workers on others. So a task is an object that can be sent there.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Result = TypeVar("Result")


@dataclass(frozen=True)
class Chunk:
    """A run of fragments of n participants.

    Attributes
    ----------
    values : float array of shape (n, run·d)
        The values as they were sent. The next chunk takes their place.
    first : int
        The index of the first fragment.
    dimension : int
        The number of values per fragment, d.
    reference : int
        The index of the participant whose values are subtracted from all others.
    """

    values: npt.NDArray[np.floating]
    first: int
    dimension: int
    reference: int

    @property
    def fragments(self) -> int:
        """Return the number of fragments of each participant in the chunk."""
        return int(self.values.shape[1]) // self.dimension


Task = Callable[[Chunk], Result]


def side_by_side(
    parts: Iterable[npt.NDArray[np.float64]], rows: int, columns: int
) -> npt.NDArray[np.float64]:
    """Return the results of all chunks in one array, without a copy where there is but one."""
    whole, done = np.empty((rows, columns)), 0
    for part in parts:
        if part.shape == whole.shape:
            return part
        whole[:, done : done + part.shape[1]] = part
        done += part.shape[1]
    return whole
