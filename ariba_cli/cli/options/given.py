"""Which rounds a command is given: as arguments, or as a list with NUL after each."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ariba_cli.base.errors import InputError, UsageError

STDIN = Path("-")

_READ_BYTES = 2**16
# No system has longer paths; a list without NULs would be one.
_LONGEST_PATH = 2**16


def given_rounds(arguments: Sequence[Path], files0_from: Path | None) -> Iterator[Path]:
    """The rounds, each as soon as it is known.

    Raises
    ------
    UsageError
        When they are given in both ways, or in none.
    InputError
        When the list cannot be read or names nothing.
    """
    if files0_from is None:
        if not arguments:
            raise UsageError("Missing argument 'ROUND...'; or give a list with --files0-from")
        return iter(arguments)
    if arguments:
        raise UsageError("rounds come as arguments or from --files0-from; use one of the two")
    return _listed_rounds(files0_from)


def _listed_rounds(source: Path) -> Iterator[Path]:
    number = 0
    for number, entry in enumerate(_entries(source), 1):
        # As a path it would be the current directory.
        if not entry:
            raise InputError(f"entry {number} of --files0-from '{source}' is empty")
        yield Path(os.fsdecode(entry))
    if not number:
        raise InputError(f"--files0-from '{source}' names no round")


def _entries(source: Path) -> Iterator[bytes]:
    """What stands before each NUL, and after the last one, without waiting for the rest."""
    rest = b""
    for data in _pieces(source):
        *whole, rest = (rest + data).split(b"\0")
        yield from whole
        if len(rest) > _LONGEST_PATH:
            raise InputError(
                f"--files0-from '{source}' has no NUL in {len(rest):,} bytes; it takes paths with "
                "a NUL after each, as find -print0 writes them"
            )
    if b"\n" in rest:
        raise InputError(
            f"--files0-from '{source}' ends in lines; it takes paths with a NUL after each, as "
            "find -print0 writes them"
        )
    if rest:
        yield rest


def _pieces(source: Path) -> Iterator[bytes]:
    """The bytes of a file, or of stdin, as they come."""
    try:
        if source == STDIN and sys.stdin is None:
            raise InputError("--files0-from reads stdin, which is closed")
        with open(
            sys.stdin.fileno() if source == STDIN else source,
            "rb",
            buffering=0,
            closefd=source != STDIN,
        ) as stream:
            while data := stream.read(_READ_BYTES):
                yield data
    except OSError as error:
        raise InputError(f"--files0-from '{source}' cannot be read: {error.strerror}") from error
