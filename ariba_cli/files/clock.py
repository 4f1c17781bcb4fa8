"""The time limit on each file, whatever its format and wherever the limit is checked."""

import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from ariba_cli.base.errors import OverBudgetError


@dataclass
class _Turn:
    """A file's turn: the seconds it is allowed, and the time when it is over."""

    seconds: float
    ends: float


# Of the file that this thread is at work on.
_turn: ContextVar[_Turn | None] = ContextVar("turn", default=None)


class Clock:
    """A clock that adds up the time each file has taken, over all of its turns."""

    def __init__(self) -> None:
        self._taken: dict[Hashable, float] = {}

    @contextmanager
    def turn(self, file: Hashable, seconds: float) -> Iterator[None]:
        """Let a file take the rest of its seconds; a nested turn counts as part of the outer one.

        Raises
        ------
        OverBudgetError
            By `check_time`, when the block takes longer.
        """
        if _turn.get() is not None:
            yield
            return
        started = time.monotonic()
        left = seconds - self._taken.get(file, 0.0)
        turn = _Turn(seconds, started + left)
        token = _turn.set(turn)
        try:
            yield
        finally:
            _turn.reset(token)
            self._taken[file] = seconds - (turn.ends - time.monotonic())


def check_time() -> None:
    """Refuse the current file when its turn is over.

    Raises
    ------
    OverBudgetError
        When it is.
    """
    if seconds_left() < 0:
        raise took_too_long()


def seconds_left() -> float:
    """Return the seconds left of the current turn; infinity outside any turn."""
    turn = _turn.get()
    return float("inf") if turn is None else turn.ends - time.monotonic()


def took_too_long() -> OverBudgetError:
    """Return the error for a file whose turn is over."""
    turn = _turn.get()
    allowed = f"{turn.seconds:g} s" if turn is not None else "it may"
    return OverBudgetError(f"took longer than {allowed} to parse (--timeout allows more)")


@contextmanager
def no_turn() -> Iterator[None]:
    """Stop the clock for work that is not the file's fault."""
    started = time.monotonic()
    try:
        yield
    finally:
        turn = _turn.get()
        if turn is not None:
            turn.ends += time.monotonic() - started
