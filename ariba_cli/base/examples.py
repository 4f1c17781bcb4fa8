"""The shortening of long lists of names, for sentences."""

from collections.abc import Sequence


def first_few(names: Sequence[str], most: int) -> str:
    """Return the first few names, and the number of further ones.

    >>> first_few(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    shown, more = ", ".join(names[:most]), len(names) - most
    return f"{shown} and {more:,} more" if more > 0 else shown
