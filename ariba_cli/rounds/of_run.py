"""The directory of a run: the rounds in it, in order."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import read_small
from ariba_cli.files.partial import PARTIAL_SUFFIX
from ariba_cli.files.places import entries, is_folder
from ariba_cli.formats import is_model
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
    if not sealed or holds_models_beside(path, sealed, _entries(path, terms), terms):
        return None
    rounds = sorted((path / name for name in sealed), key=by_number(terms.limits))
    names = sorted(name for name, is_inside in entries(path) if is_inside)
    unfinished = tuple(path / name for name in names if name.endswith(PARTIAL_SUFFIX))
    return RunContents(
        tuple(one for one in rounds if not one.name.endswith(PARTIAL_SUFFIX)), unfinished
    )


def holds_models_beside(
    path: Path, rounds: Sequence[str], names: Iterable[str], terms: ReadOptions
) -> bool:
    """Return whether a directory holds models beside its rounds, which makes it a round itself.

    A manifest in one participant's folder does not turn a round into a run.

    Parameters
    ----------
    path : Path
        The directory.
    rounds : sequence of str
        The folders in it that have a seal.
    names : iterable of str
        The entries that may be models; those of rounds among them are left out.
    terms : ReadOptions
        The terms under which files are opened.
    """
    known = {*rounds, BASE_NAME}
    return any(is_model(path / entry, terms) for entry in names if entry not in known)


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


def _entries(path: Path, terms: ReadOptions) -> list[str]:
    """Return what a directory holds itself; nothing where it cannot be listed."""
    try:
        found = list_contents(path, terms.limits).entries
    except InputError:
        return []
    return [entry for entry in found if "/" not in entry]
