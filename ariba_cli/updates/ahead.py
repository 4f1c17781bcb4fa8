"""Layers that are read one after the other: those of a store while the one before is scored."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import NamedTuple, Self

from ariba_cli.base.progress import Progress
from ariba_cli.rounds.layers import Layer
from ariba_cli.updates.elsewhere import Workers
from ariba_cli.updates.intake import Submission
from ariba_cli.updates.reading import LayerValues, read_layer


class ReadLayer(NamedTuple):
    """A layer of every participant.

    Attributes
    ----------
    submissions : list of Submission
        The submissions, with what was found in this layer: it says nothing of the others.
    values : LayerValues
        The values of those that are scored.
    """

    submissions: list[Submission]
    values: LayerValues


class _NotWantedError(Exception):
    """The layer that is being read is not wanted any more."""


class LayersInTurn:
    """The layers of a round, each of which is taken once, in their order.

    While one is used, the next is read from an object store, if memory holds both: an answer takes
    long to come, and no processor.

    Parameters
    ----------
    submissions : sequence of Submission
        The submissions of all participants.
    layers : sequence of Layer
        The layers.
    memory : int
        The number of bytes that values may take; see `read_layer`.
    workers : Workers, optional
        Others who read what does not fit; see `read_layer`.
    """

    def __init__(
        self,
        submissions: Sequence[Submission],
        layers: Sequence[Layer],
        memory: int,
        workers: Workers | None,
    ) -> None:
        self._submissions = submissions
        self._layers = layers
        self._memory = memory
        self._workers = workers
        models = [one.model for one in submissions if one.model is not None]
        self._ahead = workers is None and bool(models) and models[0].readers is not None
        self._coming: Future[ReadLayer] | None = None
        self._closed = threading.Event()
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        """Return the layers."""
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Stop reading."""
        self._closed.set()
        self._pool.shutdown(cancel_futures=True)

    def take(self, number: int, progress: Progress) -> ReadLayer:
        """Return a layer; see `read_layer`."""
        coming, self._coming = self._coming, None
        found = self._read(number, progress) if coming is None else coming.result()
        following = self._layers[number + 1 : number + 2]
        if self._ahead and following and self._fit(self._layers[number], following[0]):
            self._coming = self._pool.submit(self._read, number + 1, self._if_wanted)
        return found

    def _read(self, number: int, progress: Progress) -> ReadLayer:
        own = [replace(one) for one in self._submissions]
        layer = self._layers[number]
        return ReadLayer(own, read_layer(own, layer, self._memory, progress, self._workers))

    def _fit(self, *layers: Layer) -> bool:
        """Return whether memory holds the values of several layers."""
        sizes = (one.spec.values * (8 if one.spec.dtype == "F64" else 4) for one in layers)
        return len(self._submissions) * sum(sizes) <= self._memory

    def _if_wanted(self, _what: str, _done: int, _total: int) -> None:
        if self._closed.is_set():
            raise _NotWantedError
