"""The published schemas of the JSON reports, with their versions.

A schema is a file `NAME-VERSION.schema.json` in `schemas/`, and there is one of each name:
that of the reports which this version of ariba writes. An older report is checked with the
release that wrote it. `schemas/SHA256SUMS` has a line for every version that was ever
published, so that none can be changed unnoticed.
"""

import re
from importlib import resources
from importlib.resources.abc import Traversable

from ariba_cli.base.errors import UsageError
from ariba_cli.base.suggestions import nearest

SUMS = "SHA256SUMS"

_FILE = re.compile(r"([a-z]+(?:-[a-z]+)*)-([0-9]+\.[0-9]+\.[0-9]+)\.schema\.json")


def versions() -> dict[str, str]:
    """Return the version of every schema, by its name, in the order of names.

    >>> versions()["evaluate"]
    '1.0.0'
    """
    found = (_FILE.fullmatch(entry.name) for entry in folder().iterdir())
    return dict(sorted((match[1], match[2]) for match in found if match))


def schema(name: str) -> bytes:
    """Return the bytes of a schema, such as that of `audit`.

    Raises
    ------
    UsageError
        When there is none of that name.
    """
    known = versions()
    if name not in known:
        near = nearest(name, known)
        meant = f"use one of {', '.join(known)}" if near is None else f"did you mean '{near}'?"
        raise UsageError(f"unknown schema '{name}'; {meant}")
    return (folder() / f"{name}-{known[name]}.schema.json").read_bytes()


def folder() -> Traversable:
    """Return the folder of the schemas."""
    return resources.files("ariba_cli.reports") / "schemas"
