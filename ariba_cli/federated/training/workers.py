"""Processes that train one participant each at a time, on one thread.

They give the same bytes as this process would, whatever their number.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from ariba_cli.base.errors import ResourceError
from ariba_cli.base.interrupts import defer_signals
from ariba_cli.federated.datasets import FloatArray
from ariba_cli.federated.models import Architecture, Weights
from ariba_cli.federated.training.single import Network
from ariba_cli.federated.training.task import Task

Result = TypeVar("Result")

_network: Network | None = None


class Workers:
    """A set of processes, started when they are first needed."""

    def __init__(self, architecture: Architecture, processes: int) -> None:
        self._architecture = architecture
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None

    def train(
        self, weights: Weights, tasks: Sequence[Task], done: Callable[[], None]
    ) -> list[Weights]:
        """Return the weights of each after local training; call `done` after each."""
        with self._running() as pool:
            with defer_signals():
                futures = [pool.submit(_train, weights, task) for task in tasks]
            return _results(futures, done)

    def logits(self, weights: Weights, pieces: Sequence[FloatArray]) -> list[FloatArray]:
        """Return the logits of the model for each piece of the images."""
        with self._running() as pool:
            with defer_signals():
                futures = [pool.submit(_logits, weights, images) for images in pieces]
            return _results(futures, lambda: None)

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            for process in list((self._pool._processes or {}).values()):
                process.terminate()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    @contextmanager
    def _running(self) -> Iterator[ProcessPoolExecutor]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._processes,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start,
                initargs=(self._architecture,),
            )
        try:
            yield self._pool
        except BrokenProcessPool as error:
            raise ResourceError(
                "the system ended a process that trained, perhaps since memory ran out; train "
                "fewer at once with fewer cores (taskset -c 0), or on a larger machine"
            ) from error
        except BaseException:
            self.close()
            raise


def _results(futures: Sequence["Future[Result]"], done: Callable[[], None]) -> list[Result]:
    for future in as_completed(futures):
        future.result()
        done()
    return [future.result() for future in futures]


def _start(architecture: Architecture) -> None:
    """Prepare a process; Ctrl-C goes to the process that started it, which then ends it."""
    global _network
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Inherited from when it was started.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)
    _network = Network(architecture)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, such as after a kill."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _train(weights: Weights, task: Task) -> Weights:
    assert _network is not None
    return _network.train(weights, task)


def _logits(weights: Weights, images: FloatArray) -> FloatArray:
    assert _network is not None
    return _network.logits(weights, images)
