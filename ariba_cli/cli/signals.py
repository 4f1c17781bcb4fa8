"""SIGINT and SIGTERM, held back while they could do harm."""

import importlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_back() -> Iterator[None]:
    """Let signals wait until the block ends.

    For imports: an exception inside the initialisation of a C library is swallowed, taken
    for another error, or ends the process.
    """
    waiting: list[int] = []
    before = {
        number: signal.signal(number, lambda arrived, _: waiting.append(arrived))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for arrived in waiting:
        signal.raise_signal(arrived)


def import_training_libraries() -> None:
    """Import what training needs, after the arguments were checked and before it starts.

    The library would import it when it is first used, where signals come through.
    """
    with held_back():
        for name in ("sklearn.datasets", "torch"):
            importlib.import_module(name)
