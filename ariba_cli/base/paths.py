"""Paths in files such as a manifest or a report."""

_LONGEST = 4096


def is_within(path: str) -> bool:
    """Return whether a text could be the path of a file in a round, relative to it.

    >>> is_within("participants/p00.safetensors"), is_within("../p00"), is_within("/etc/passwd")
    (True, False, False)
    """
    try:
        path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    parts = path.split("/")
    return len(path) <= _LONGEST and "\0" not in path and not {"", ".", ".."} & {*parts}
