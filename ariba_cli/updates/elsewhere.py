"""Chunks that are read and worked on by others, such as workers on other machines."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from ariba_cli.base.aligned import aligned
from ariba_cli.base.errors import RefusedFileError
from ariba_cli.base.parallel import map_workers, thread_map
from ariba_cli.base.progress import Progress
from ariba_cli.updates.chunks import Chunk, Result, Task
from ariba_cli.updates.lazy import LazyTensor, LeftOutError
from ariba_cli.updates.nonfinite import NonFiniteCounter
from ariba_cli.updates.stored import Array, StoredTensor

# So much is hashed at a time: enough to take longer than to be asked for.
_CHECKED_BYTES = 2**27


class Workers(Protocol):
    """Processes that work for this one, and may come and go."""

    def map(
        self, function: Callable[[Any, Any], Result], shared: Any, items: Sequence[Any]
    ) -> Iterator[Result]:
        """Yield the results of a function for all items in their order.

        Parameters
        ----------
        function : callable
            The function, which is called with what is shared and with an item. It may be called
            for an item more than once, when a worker is lost.
        shared : object
            What it needs for all items.
        items : sequence
            The items.
        """
        ...


# What each thread of a worker reads into.
_held = threading.local()


class _Unread(NamedTuple):
    """A participant whose values could not be read."""

    participant: int
    why: str


@dataclass(frozen=True)
class _Run:
    """A run of fragments, as a worker is asked for it."""

    start: int
    stop: int
    dimension: int
    reference: int


@dataclass(frozen=True)
class _Layer:
    """The tensors of a layer, as workers know them."""

    tensors: tuple[StoredTensor, ...]
    dtype: np.dtype[np.floating]

    def chunk(self, run: _Run) -> Chunk | _Unread:
        """Read a run of everybody's fragments."""
        first, last = run.start * run.dimension, run.stop * run.dimension
        values = _room((len(self.tensors), last - first), self.dtype)

        def read(participants: Iterator[int]) -> _Unread | None:
            for index in participants:
                try:
                    for _ in self.tensors[index].pieces(first, last, values[index]):
                        pass
                except RefusedFileError as error:
                    return _Unread(index, str(error))
            return None

        found = map_workers(read, range(len(self.tensors)), self.tensors[0].readers)
        unread = [one for one in found if one is not None]
        return min(unread) if unread else Chunk(values, run.start, run.dimension, run.reference)


class OnWorkers:
    """The values of one layer, which workers read and work on.

    Parameters
    ----------
    workers : Workers
        The workers.
    tensors : sequence of LazyTensor
        The values of n participants, in id order.
    what : str
        The work, for those who wait.
    progress : Progress
        A callback that receives how much of a pass is done.
    """

    def __init__(
        self, workers: Workers, tensors: Sequence[LazyTensor], what: str, progress: Progress
    ) -> None:
        self._workers = workers
        self._tensors = tensors
        self._what = what
        self._progress = progress
        types = {one.dtype for one in tensors}
        stored = tuple(one.stored.elsewhere() for one in tensors)
        self._layer = _Layer(stored, np.result_type(np.float32, *types))

    def keeping(self, which: Sequence[int]) -> "OnWorkers":
        """Return the same for some of the participants."""
        tensors = [self._tensors[index] for index in which]
        return OnWorkers(self._workers, tensors, self._what, self._progress)

    def check(self) -> None:
        """Hash and check all values, and leave out those who sent unusable ones."""
        size = max(1, self._tensors[0].stored.spec.bytes)
        together = max(1, _CHECKED_BYTES // size)
        count = len(self._tensors)
        parts = [range(at, min(at + together, count)) for at in range(0, count, together)]
        for part, several in zip(parts, self._map(_checked, parts), strict=True):
            for index, found in zip(part, several, strict=True):
                if isinstance(found, str):
                    self._tensors[index].refuse(found)
                else:
                    self._tensors[index].settle(*found)

    def map(
        self, task: Task[Result], runs: Sequence[tuple[int, int]], dimension: int, reference: int
    ) -> Iterator[Result]:
        """Yield the results of a task for some runs of fragments; see `Fragments.map`.

        Raises
        ------
        LeftOutError
            When the values of a participant cannot be read any more.
        """
        asked = [_Run(start, stop, dimension, reference) for start, stop in runs]
        for found in self._map(partial(_worked_on, task), asked):
            if isinstance(found, _Unread):
                self._tensors[found.participant].refuse(found.why)
                raise LeftOutError
            yield found

    def _map(
        self, function: Callable[[_Layer, Any], Result], items: Sequence[Any]
    ) -> Iterator[Result]:
        for done, found in enumerate(self._workers.map(function, self._layer, items), 1):
            yield found
            self._progress(self._what, done, len(items))


def _room(shape: tuple[int, int], dtype: np.dtype[np.floating]) -> Array:
    """Return the memory of the chunk before: the system would have to clear new memory."""
    size = shape[0] * shape[1]
    held: Array | None = getattr(_held, "values", None)
    if held is None or held.dtype != dtype or held.size < size:
        held = _held.values = aligned(1, size, dtype)[0]
    return held[:size].reshape(shape)


def _checked(layer: _Layer, which: range) -> list[tuple[str, NonFiniteCounter] | str]:
    """Return the hash of each tensor of some participants, or why it cannot be read."""

    def check(index: int) -> tuple[str, NonFiniteCounter] | str:
        try:
            return layer.tensors[index].checked()
        except RefusedFileError as error:
            return str(error)

    return list(thread_map(check, which, workers=layer.tensors[0].readers))


def _worked_on(task: Task[Result], layer: _Layer, run: _Run) -> Result | _Unread:
    """Return the result of a task for a chunk, or who cannot be read."""
    chunk = layer.chunk(run)
    return chunk if isinstance(chunk, _Unread) else task(chunk)
