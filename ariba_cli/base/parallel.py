"""Work on all cores: threads, since NumPy, hashing and reading let others run meanwhile."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from ariba_cli.base.machine import cores

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_workers(
    work: Callable[[Iterator[Item]], Result], items: Iterable[Item], workers: int | None = None
) -> list[Result]:
    """Let workers take the items, each one going to one of them, and return what they made.

    Parameters
    ----------
    work : called once by every worker, with the items that it takes, one after the other.
    items : shared by all workers, in this order.
    workers : how many; one per core when None.
    """
    listed = list(items)
    # Taking the next item of a list is one step, which no other thread comes between.
    taken = iter(listed)
    count = min(workers or cores(), max(1, len(listed)))
    if count == 1:
        return [work(taken)]
    with ThreadPoolExecutor(count) as pool:
        return [done.result() for done in [pool.submit(work, taken) for _ in range(count)]]


def thread_map(function: Callable[..., Result], *items: Iterable[Any]) -> Iterator[Result]:
    """The results of a function for all items, as of `map`, in their order, as they come."""
    with ThreadPoolExecutor(cores()) as pool:
        yield from pool.map(function, *items)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS from starting threads of its own inside ours."""
    with _thread_pools().limit(limits=1, user_api="blas"):
        yield


@cache
def _thread_pools() -> Any:
    """Return the control over what libraries have loaded: to look for it takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
