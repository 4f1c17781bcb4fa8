"""What somebody may have meant who wrote a name that there is not."""

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like another; None when none is like it.

    >>> nearest("krumm", ["norm", "krum"])
    'krum'
    """
    # Only an error needs it.
    import difflib

    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)
