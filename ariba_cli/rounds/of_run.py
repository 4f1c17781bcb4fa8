"""The directory of a run: the rounds in it, in order."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import read_small
from ariba_cli.files.partial import PARTIAL_SUFFIX
from ariba_cli.files.places import entries, is_folder
from ariba_cli.formats import open_model
from ariba_cli.formats.model import ReadOptions
from ariba_cli.rounds import manifest as manifests
from ariba_cli.rounds.contents import BASE_NAME, list_contents, rounds_inside


@dataclass(frozen=True)
class RunContents:
    """The contents of a run's directory.

    Attributes
    ----------
    rounds : tuple of Path
        The rounds that are sealed, by their numbers and names.
    unfinished : tuple of Path
        The rounds that are being written, or never were finished.
    """

    rounds: tuple[Path, ...]
    unfinished: tuple[Path, ...]


def contents_of_run(path: Path, terms: ReadOptions | None = None) -> RunContents | None:
    """Return the contents of a run; None if the path is not the directory of one.

    A directory of updates is not one, though a participant may have put a manifest into a folder.
    """
    terms = terms or ReadOptions()
    if path.name.endswith(PARTIAL_SUFFIX) or not is_folder(path):
        return None
    sealed = rounds_inside(path)
    if not sealed or _holds_models(path, sealed, terms):
        return None
    rounds = sorted((path / name for name in sealed), key=by_number(terms.limits))
    names = sorted(name for name, is_inside in entries(path) if is_inside)
    unfinished = tuple(path / name for name in names if name.endswith(PARTIAL_SUFFIX))
    return RunContents(
        tuple(one for one in rounds if not one.name.endswith(PARTIAL_SUFFIX)), unfinished
    )


def number_of(path: Path, limits: Limits) -> int | None:
    """Return the number of a round by its manifest; None if that does not state it."""
    try:
        return manifests.decode(read_small(path / manifests.NAME, limits)).round
    except RefusedFileError:
        return None


def by_number(limits: Limits) -> Callable[[Path], tuple[bool, int, bytes]]:
    """Return the sort key of rounds: by their numbers, and those without one last."""

    def key(path: Path) -> tuple[bool, int, bytes]:
        number = number_of(path, limits)
        return number is None, number or 0, os.fsencode(path.name)

    return key


def _holds_models(path: Path, rounds: list[str], terms: ReadOptions) -> bool:
    """Return whether a directory holds models beside its rounds."""
    try:
        entries = list_contents(path, terms.limits).entries
    except InputError:
        return False
    others = [one for one in entries if one not in (*rounds, BASE_NAME) and "/" not in one]
    return any(_is_model(path / one, terms) for one in others)


def _is_model(path: Path, terms: ReadOptions) -> bool:
    try:
        open_model(path, terms)
    except RefusedFileError:
        return False
    return True
