"""What the kernels are made of, for which processors, and which of them are wanted.

Nothing that takes long to import: every command comes by here.
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
        When it is none of these.
    """
    if choice not in CHOICES:
        raise UsageError(f"there are no kernels '{choice}'; use {', '.join(CHOICES)}")
    _chosen[0] = choice


def chosen() -> str:
    """Return what was chosen last; `auto` at the start."""
    return _chosen[0]


def source_hash() -> str:
    """Return the SHA-256 of the source, by which a library that is out of date is known."""
    return hashlib.sha256(SOURCE.read_bytes()).hexdigest()
