"""Work on all cores: in threads, since NumPy, hashing and reading release the interpreter."""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from ariba_cli.base.machine import cores

# Items that a worker takes at a time at most, and how often it takes some at least, so that none
# waits long for another.
_MOST_TOGETHER = 32
_LEAST_TURNS = 32

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_workers(
    work: Callable[[Iterator[Item]], Result], items: Iterable[Item], workers: int | None = None
) -> list[Result]:
    """Distribute the items among workers, each item to one of them, and return their results.

    Parameters
    ----------
    work : callable
        A function that each worker calls once, with an iterator over the items that it takes.
    items : iterable
        The items, which all workers share, in this order.
    workers : int, optional
        The number of workers; None for one per core.
    """
    listed = list(items)
    # Taking the next item of a list is one step, which no other thread comes between.
    taken = iter(listed)
    count = min(workers or cores(), max(1, len(listed)))
    if count == 1:
        return [work(taken)]
    with ThreadPoolExecutor(count) as pool:
        return [done.result() for done in [pool.submit(work, taken) for _ in range(count)]]


def thread_map(
    function: Callable[..., Result], *items: Iterable[Any], workers: int | None = None
) -> Generator[Result, None, None]:
    """Yield the results of a function for all items in their order, like `map`.

    There is one worker per core, or as many as are given. When it is closed, nothing more is
    started.
    """
    listed = list(zip(*items, strict=True))
    if len(listed) == 1 or workers == 1:
        yield from (function(*one) for one in listed)
        return
    count = workers or cores()
    # Of thousands of items, a worker takes several at a time: each handing over takes time, too.
    size = max(1, min(_MOST_TOGETHER, len(listed) // (count * _LEAST_TURNS)))
    batches = [listed[start : start + size] for start in range(0, len(listed), size)]

    def work(batch: list[tuple[Any, ...]]) -> list[Result]:
        return [function(*one) for one in batch]

    with ThreadPoolExecutor(count) as pool:
        for found in pool.map(work, batches):
            yield from found


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS from starting threads of its own inside ours."""
    with _thread_pools().limit(limits=1, user_api="blas"):
        yield


@cache
def _thread_pools() -> Any:
    """Return the controller of the loaded libraries' threads; finding them takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
