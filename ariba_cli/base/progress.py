"""The callbacks by which long work reports its progress."""

from collections.abc import Callable

# Called with what is being done, how many steps of it are done, and how many there are.
Progress = Callable[[str, int, int], None]


def no_progress(_what: str, _done: int, _total: int) -> None:
    """Report to nobody."""


def no_message(_message: str) -> None:
    """Send the message to nobody."""


def part_of(progress: Progress, index: int, count: int) -> Progress:
    """Return a callback for one of several equal parts that reports the progress of all."""
    return lambda what, done, total: progress(what, index * total + done, count * total)
