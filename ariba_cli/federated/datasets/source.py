"""Where a data set comes from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ariba_cli.base.errors import InputError
from ariba_cli.federated.datasets.dataset import Dataset


@dataclass(frozen=True)
class Published:
    """A file as it is published.

    Attributes
    ----------
    sha256 : of the file, in hex.
    bytes : its size.
    members : if it is a tar archive, the paths in it of the files that are taken out; they
        are written in this order.
    """

    url: str
    sha256: str
    bytes: int
    members: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the file is called."""
        return self.url.rpartition("/")[2]

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files of the data set that it brings."""
        return tuple(path.rpartition("/")[2] for path in self.members) or (self.name,)

    @property
    def place(self) -> str:
        """Where to look for it: an archive itself, or the folder of a file, without scheme."""
        place = self.url.partition("://")[2]
        return place if self.members else place.rpartition("/")[0]


class Source(Protocol):
    """A data set that can be loaded."""

    @property
    def name(self) -> str:
        """What it is called in `DATASETS`."""
        ...

    @property
    def published(self) -> tuple[Published, ...]:
        """The files that can be downloaded; none when it has no files, or they are one's own."""
        ...

    @property
    def from_files(self) -> bool:
        """Whether it is read from a folder at all."""
        ...

    def missing(self, folder: Path, /) -> list[str]:
        """The names of the files without which it cannot be loaded, and that are not there."""
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
        Names them, and says where they can be had.
    """
    missing = source.missing(folder)
    if missing:
        raise InputError(
            f"'{folder}' lacks {', '.join(missing)} of the data set {source.name}; "
            f"{where_to_get(source.published)}"
        )


def where_to_get(published: Sequence[Published]) -> str:
    """What to do when files are not there."""
    if not published:
        return "--data-dir names another folder"
    places = ", ".join(dict.fromkeys(one.place for one in published))
    return f"{places} has them: --download fetches them, or --data-dir names another folder"
