"""The contents of a round's directory, by name alone: nothing is opened here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.files import places
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import open_folder
from ariba_cli.files.partial import PARTIAL_SUFFIX
from ariba_cli.rounds import manifest as manifests

PARTICIPANTS = "participants"
RUN_NAME = "run.json"
BASE_NAME = "base.safetensors"
TRUTH_NAME = "truth.json"
CONVERSION_NAME = "conversion.json"
HOST_NAME = "host.json"
# More paths than these are counted.
_MOST_NAMED = 5


@dataclass(frozen=True)
class Contents:
    """Paths relative to the directory, with `/`, in order.

    Attributes
    ----------
    entries : tuple of str
        The files and folders of the directory and of its participants' folder.
    folders : frozenset of str
        The entries that are folders.
    files : tuple of str
        Every file, including those in the folders of participants.
    """

    entries: tuple[str, ...]
    folders: frozenset[str]
    files: tuple[str, ...]


def first_few(paths: Sequence[str]) -> str:
    """Return the first few paths, and the number of further ones."""
    first = ", ".join(paths[:_MOST_NAMED])
    return first if len(paths) <= _MOST_NAMED else f"{first} and {len(paths) - _MOST_NAMED:,} more"


def list_contents(path: Path, limits: Limits, *, flat: bool = False) -> Contents:
    """List a directory that may be a round.

    Parameters
    ----------
    path : Path
        The directory.
    limits : Limits
        The limits on the number of files.
    flat : bool, optional
        True if a folder called `participants` is that of one participant.

    Raises
    ------
    InputError
        When there is no such directory, it was never finished, or it holds too many files.
    """
    _check_directory(path)
    found, folders, files = [], set(), []
    for name, is_folder in _scan(path) if flat else _entries(path):
        found.append(name)
        if is_folder:
            folders.add(name)
            files += [f"{name}/{inside}" for inside in _names_inside(path / name, limits)]
        else:
            files.append(name)
        if len(found) > limits.files:
            raise InputError(f"'{path}' holds more than {limits.files:,} files; give one round")
    return Contents(tuple(sorted(found)), frozenset(folders), tuple(sorted(files)))


def _check_directory(path: Path) -> None:
    if path.name.endswith(PARTIAL_SUFFIX):
        raise InputError(f"'{path}' was never finished; give a round that was")
    if not places.is_folder(path):
        raise InputError(f"there is no directory '{path}'; give the directory of one round")


def rounds_inside(path: Path) -> list[str]:
    """Return the folders in a directory that have a seal."""
    sealed = [name for name, _ in _scan(path) if places.is_file(path / name / manifests.NAME)]
    return sorted(name for name in sealed if name != PARTICIPANTS)


def _entries(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield each entry of the round and of its participants' folder, and whether it is a folder."""
    for name, is_folder in _scan(path):
        if name == PARTICIPANTS and is_folder:
            yield from ((f"{name}/{inside}", folder) for inside, folder in _scan(path / name))
        else:
            yield name, is_folder


def _names_inside(folder: Path, limits: Limits) -> frozenset[str]:
    """Return the files of one participant's folder; none if they cannot be listed.

    A folder that cannot be listed is a finding about one participant as soon as it is opened.
    """
    try:
        return open_folder(folder, limits).names
    except RefusedFileError:
        return frozenset()


def _scan(path: Path) -> list[tuple[str, bool]]:
    try:
        return places.entries(path)
    except OSError as error:
        raise InputError(f"'{path}' cannot be listed: {error.strerror}") from error
