"""The source of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ariba_cli.base.errors import InputError
from ariba_cli.federated.datasets.dataset import Dataset


@dataclass(frozen=True)
class Published:
    """A published file.

    Attributes
    ----------
    url : str
        The address of the file.
    sha256 : str
        The hash of the file, in hex.
    bytes : int
        The size of the file.
    members : tuple of str
        The paths of the files to extract from a tar archive, in the order in which they are
        written; empty for other files.
    """

    url: str
    sha256: str
    bytes: int
    members: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return the name of the file."""
        return self.url.rpartition("/")[2]

    @property
    def files(self) -> tuple[str, ...]:
        """Return the names of the data set's files that it provides."""
        return tuple(path.rpartition("/")[2] for path in self.members) or (self.name,)

    @property
    def place(self) -> str:
        """Return the place to look for it, without scheme: an archive itself, or its folder."""
        place = self.url.partition("://")[2]
        return place if self.members else place.rpartition("/")[0]


class Source(Protocol):
    """A data set that can be loaded."""

    @property
    def name(self) -> str:
        """Return the name in `DATASETS`."""
        ...

    @property
    def published(self) -> tuple[Published, ...]:
        """Return the files that can be downloaded; none without files, or with the user's own."""
        ...

    @property
    def from_files(self) -> bool:
        """Return True if the data set is read from a folder."""
        ...

    def missing(self, folder: Path, /) -> list[str]:
        """Return the names of the files that loading needs, and that are not there."""
        ...

    def load(self, folder: Path, /) -> Dataset:
        """Read it from a folder that lacks nothing.

        Raises
        ------
        InputError
            Names the file that is not sound, and says why.
        """
        ...


def check_complete(source: Source, folder: Path) -> None:
    """Refuse a folder that lacks files of a data set.

    Raises
    ------
    InputError
        Names the files, and says where to get them.
    """
    missing = source.missing(folder)
    if missing:
        raise InputError(
            f"'{folder}' lacks {', '.join(missing)} of the data set {source.name}; "
            f"{where_to_get(source.published)}"
        )


def where_to_get(published: Sequence[Published]) -> str:
    """Return the advice for missing files."""
    if not published:
        return "--data-dir names another folder"
    places = ", ".join(dict.fromkeys(one.place for one in published))
    return f"{places} has them: --download fetches them, or --data-dir names another folder"
