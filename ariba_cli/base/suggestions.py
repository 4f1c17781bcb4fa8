"""Suggestions for names that do not exist."""

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to another; None if none is similar.

    >>> nearest("krumm", ["norm", "krum"])
    'krum'
    """
    # Only an error needs it.
    import difflib

    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)
