"""Runs of fragments of all participants: what each pass over a layer works on, one by one.

A pass is a task that is called with every chunk, and a merge of its results. The results do not
depend on where the chunks begin, so that they may be found anywhere: on this machine, one chunk
after the other, or by workers on others. So a task is an object that can be sent there.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ariba_cli.native.centring import centre

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


class Elsewhere(Protocol):
    """Others who read runs of fragments and work on them, such as workers on other machines."""

    def map(
        self, task: Task[Result], runs: Sequence[tuple[int, int]], dimension: int, reference: int, /
    ) -> Iterator[Result]:
        """Yield the results of a task for some runs of fragments, in their order.

        Parameters
        ----------
        task : callable
            The task.
        runs : sequence of tuple of int
            The first fragment of each run, and the one after the last.
        dimension : int
            The number of values per fragment, d.
        reference : int
            The index of the participant whose values are subtracted from all others.
        """
        ...


def blocks(
    values: npt.NDArray[np.floating], dimension: int, most_values: int, fewest: int = 1
) -> list[slice]:
    """Return column slices of an array of shape (n, run·d) that hold whole fragments.

    Parameters
    ----------
    values : float array of shape (n, run·d)
        The values of all participants.
    dimension : int
        The number of values per fragment, d.
    most_values : int
        The most values in one block; exceeded only where the fewest fragments of all participants
        have more.
    fewest : int
        The fewest fragments of each participant in one block.
    """
    width = dimension * max(fewest, most_values // (len(values) * dimension))
    columns = values.shape[1]
    return [slice(start, min(start + width, columns)) for start in range(0, columns, width)]


def centred(
    values: npt.NDArray[np.floating],
    reference: int,
    dimension: int,
    buffer: npt.NDArray[np.float64] | None = None,
) -> npt.NDArray[np.float64]:
    """Return the fragments of every δ̂_i in float64, from shape (n, run·d) to shape (n, run, d)."""
    block = np.empty(values.size) if buffer is None else buffer[: values.size]
    rows = block.reshape(values.shape)
    subtract_reference(values, reference, rows)
    centre(rows)
    return rows.reshape(len(rows), -1, dimension)


def subtract_reference(
    values: npt.NDArray[np.floating], reference: int, out: npt.NDArray[np.floating]
) -> None:
    """Write the differences of all participants' values to those of one, in the precision of `out`.

    Parameters
    ----------
    values : float array of shape (n, any)
        The values of all participants.
    reference : int
        The index of the participant whose values are subtracted.
    out : float array of shape (n, any)
        The array that receives the differences.
    """
    if np.can_cast(values.dtype, out.dtype):
        np.copyto(out, values)
        out -= values[reference].astype(out.dtype)
    else:
        # What is common to all would leave nothing of the differences in the narrower type.
        np.subtract(values, values[reference], out=out, casting="same_kind")
