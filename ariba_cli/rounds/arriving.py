"""The rounds that a server seals one after the other in a directory."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from ariba_cli.base.errors import InputError
from ariba_cli.files.limits import Limits
from ariba_cli.files.partial import PARTIAL_SUFFIX
from ariba_cli.rounds import manifest as manifests
from ariba_cli.rounds.contents import rounds_inside
from ariba_cli.rounds.of_run import by_number

# A name, and which file the seal is: a server that is started again may write a round anew.
_Key = tuple[str, int, int]


@dataclass
class ArrivingRounds:
    """The rounds in a directory, each reported once.

    Attributes
    ----------
    root : Path
        The directory, which may appear later, and vanish and come back.
    limits : Limits
        The limits on manifests.
    """

    root: Path
    limits: Limits = field(default_factory=Limits)
    _told: set[_Key] = field(default_factory=set)

    def new(self) -> list[Path]:
        """Return the rounds sealed since the last call, ordered by their numbers.

        A round has no seal while it is written.

        Raises
        ------
        InputError
            When the directory is one round, or cannot be listed.
        """
        if not os.path.isdir(self.root):
            return []
        if os.path.lexists(self.root / manifests.NAME):
            raise InputError(
                f"'{self.root}' is a single round; give the directory into which the server "
                "writes its rounds, or try ariba audit"
            )
        found = []
        for name in rounds_inside(self.root):
            key = self._key(name)
            if key is not None and key not in self._told:
                self._told.add(key)
                found.append(self.root / name)
        return sorted(found, key=by_number(self.limits))

    def _key(self, name: str) -> _Key | None:
        """Return the identity of a round; None if it is not finished, or gone."""
        if name.endswith(PARTIAL_SUFFIX):
            return None
        try:
            seal = os.stat(self.root / name / manifests.NAME)
        except OSError:
            return None
        return name, seal.st_ino, seal.st_mtime_ns
