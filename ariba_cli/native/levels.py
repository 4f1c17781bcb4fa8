"""The source and library of the kernels, the levels of processors, and the choice among them.

Only imports that take little time belong here, since every command loads this module.
"""

import hashlib
from pathlib import Path

from ariba_cli.base.errors import UsageError

SOURCE = Path(__file__).with_name("kernels.c")
LIBRARY = Path(__file__).with_name("kernels.so")

# From the one that every processor has; `level()` in the library numbers them.
LEVELS = ("baseline", "avx2", "avx512", "avx512ifma")

AUTO, OFF = "auto", "off"
CHOICES = (AUTO, OFF, *LEVELS)

_chosen = [AUTO]


def use(choice: str) -> None:
    """Choose the kernels: `auto`, `off`, or a level of processors. Results are the same.

    Raises
    ------
    UsageError
        When the choice is none of these.
    """
    if choice not in CHOICES:
        raise UsageError(f"unknown kernels '{choice}'; use one of {', '.join(CHOICES)}")
    _chosen[0] = choice


def chosen() -> str:
    """Return the last choice; `auto` at the start."""
    return _chosen[0]


def source_hash() -> str:
    """Return the SHA-256 of the source, which identifies a library that is out of date."""
    return hashlib.sha256(SOURCE.read_bytes()).hexdigest()
