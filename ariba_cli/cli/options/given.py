"""The rounds that a command is given: as arguments, or as a list with NUL after each."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.files.objects import located

STDIN = Path("-")

_READ_BYTES = 2**16
# No system has longer paths; a list without NULs would be one.
_LONGEST_PATH = 2**16


def given_rounds(arguments: Sequence[Path], files0_from: Path | None) -> Iterator[Path]:
    """Yield the rounds, each as soon as it is known.

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
        raise UsageError("give rounds as arguments or with --files0-from, not both")
    return _listed_rounds(files0_from)


class Given(NamedTuple):
    """The rounds to be audited.

    Attributes
    ----------
    paths : iterator of Path
        The rounds, each as soon as it is known.
    total : int, optional
        The number of rounds; None where it is not known.
    several : bool
        True if there may be more than one.
    """

    paths: Iterator[Path]
    total: int | None
    several: bool


def rounds_to_audit(
    arguments: Sequence[Path], files0_from: Path | None, say: Callable[[str], None]
) -> Given:
    """Return the rounds that are given, with those of runs; see `given_rounds`.

    Parameters
    ----------
    arguments : sequence of Path
        The directories of rounds, or of runs.
    files0_from : Path, optional
        A file that lists such directories.
    say : callable
        Called with a message about the parts of a run that are passed over.
    """
    places = list(map(located, arguments))
    given = given_rounds(places, files0_from)
    if files0_from is not None:
        return Given(_of_runs(given, say), None, several=True)
    rounds = list(_of_runs(given, say))
    return Given(iter(rounds), len(rounds), several=rounds != places[:1])


def _of_runs(paths: Iterable[Path], say: Callable[[str], None]) -> Iterator[Path]:
    """Yield the rounds, those of a run in its place, in order.

    Parameters
    ----------
    paths : iterable of Path
        Directories of rounds and of runs.
    say : callable
        Called with a message about the parts of a run that are passed over.
    """
    from ariba_cli.rounds.of_run import contents_of_run

    for path in paths:
        run = contents_of_run(path)
        if run is None:
            yield path
            continue
        for one in run.unfinished:
            say(f"{one} is being written, or was never finished: it is left out")
        yield from run.rounds


def _listed_rounds(source: Path) -> Iterator[Path]:
    number = 0
    for number, entry in enumerate(_entries(source), 1):
        # As a path it would be the current directory.
        if not entry:
            raise InputError(f"entry {number} of --files0-from '{source}' is empty")
        yield located(os.fsdecode(entry))
    if not number:
        raise InputError(f"--files0-from '{source}' lists no round")


def _entries(source: Path) -> Iterator[bytes]:
    """Yield the text before each NUL, and after the last one, without waiting for the rest."""
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
    """Yield the bytes of a file, or of stdin, as they come."""
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
