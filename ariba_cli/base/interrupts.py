"""SIGINT and SIGTERM, deferred while they could do harm."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def defer_signals() -> Iterator[None]:
    """Defer signals until the block ends, in this process and in those that it starts.

    This protects imports, since an exception inside the initialisation of a C library is
    swallowed, taken for another error, or ends the process. It also protects processes, which
    report a failure when they are interrupted at their start. They inherit the mask, and have
    to lift it.
    """
    if threading.current_thread() is not threading.main_thread():
        # No other hears of signals.
        yield
        return
    waiting: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {
        number: signal.signal(number, lambda arrived, _: waiting.append(arrived))
        for number in numbers
    }
    # It is inherited, and the handlers are not; they are for what another thread receives.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)
    for arrived in waiting:
        signal.raise_signal(arrived)
