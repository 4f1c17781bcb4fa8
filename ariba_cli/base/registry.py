"""The look-up of entries by the names under which they are registered."""

from collections.abc import Mapping
from typing import TypeVar

from ariba_cli.base.errors import UsageError
from ariba_cli.base.suggestions import nearest

Entry = TypeVar("Entry")


def registered(entries: Mapping[str, Entry], name: str, *, kind: str) -> Entry:
    """Return the entry of that name.

    Parameters
    ----------
    entries : mapping of str to entry
        The entries by their names.
    name : str
        The name to look up.
    kind : str
        The kind of the entries, such as `trigger`.

    Raises
    ------
    UsageError
        When there is none.
    """
    if name not in entries:
        near = nearest(name, entries)
        way_out = f"did you mean '{near}'?" if near else f"use one of {', '.join(entries)}"
        raise UsageError(f"unknown {kind} '{name}'; {way_out}")
    return entries[name]
