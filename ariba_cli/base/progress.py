"""How long work tells whoever started it how far it is."""

from collections.abc import Callable

# Called with what is being done, how many steps of it are done, and how many there are.
Progress = Callable[[str, int, int], None]


def no_progress(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def no_message(_message: str) -> None:
    """Say it to nobody."""


def part_of(progress: Progress, index: int, count: int) -> Progress:
    """How the work that is one of several equal parts tells how far all of them are."""
    return lambda what, done, total: progress(what, index * total + done, count * total)
