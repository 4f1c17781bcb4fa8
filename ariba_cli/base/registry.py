"""Finding things by the names under which they are registered."""

from collections.abc import Mapping
from typing import TypeVar

from ariba_cli.base.errors import UsageError

Entry = TypeVar("Entry")


def registered(entries: Mapping[str, Entry], name: str, *, kind: str) -> Entry:
    """The entry of that name.

    Raises
    ------
    UsageError
        When there is none; `kind` is what the entries are, as in `trigger`.
    """
    if name not in entries:
        raise UsageError(f"there is no {kind} '{name}'; known are {', '.join(entries)}")
    return entries[name]
