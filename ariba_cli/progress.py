"""How long work tells whoever started it how far it is."""

from collections.abc import Callable

# Called with what is being done, how many steps of it are done, and how many there are.
Progress = Callable[[str, int, int], None]


def silent(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""
