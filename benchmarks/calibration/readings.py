"""The panel's readings of clean rounds, kept on disk so that a fit takes no training."""

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import ariba_cli
from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.detectors.declaration import Scores, UpdateDetector
from ariba_cli.detectors.panel import DECLARATION
from ariba_cli.files.atomic import write_atomically
from ariba_cli.rounds.directory import open_round
from ariba_cli.scoring.panel.groups import Groups, groups_of, moving
from ariba_cli.scoring.panel.signs import SIGNS
from ariba_cli.scoring.update_statistics import Float64, Updates
from benchmarks.honest import Base, honest_rounds

# What decides the statistics that the panel is fed; its signs are read anew every time.
_FEEDS = ("scoring/*.py", "updates/*.py", "auditing/*.py")


@dataclass(frozen=True)
class CleanRound:
    """A clean round as the panel sees it.

    Attributes
    ----------
    base : Base
        The kind of federation.
    seed : int
        The seed of the federation.
    number : str
        The number of the round.
    groups : Groups
        The groups from which the signs are read, of those who sent something else than the global
        model.
    """

    base: Base
    seed: int
    number: str
    groups: Groups

    @property
    def readings(self) -> dict[str, list[Float64]]:
        """Return the values of the participants, by tail, with everybody in the reference."""
        everybody = np.ones(self.groups.participants, dtype=bool)
        found: dict[str, list[Float64]] = {}
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for sign in SIGNS.values():
                for reading in sign(self.groups, everybody):
                    found.setdefault(reading.tail, []).append(reading.values)
        return found


def clean_rounds(
    base: Base, seed: int, folder: Path, data_dir: Path | None
) -> Sequence[CleanRound]:
    """Return the clean rounds of a federation, which is simulated if necessary."""
    cache = folder / "statistics" / _digest() / f"{base.name}-s{seed}.pickle"
    if not cache.exists():
        rounds = honest_rounds(base, seed, folder / "honest", data_dir)
        found = {path.name: _updates(path) for path in rounds}
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cache, [pickle.dumps(found)])
    # Nobody but this module writes there.
    kept: dict[str, Updates] = pickle.loads(cache.read_bytes())
    return [
        CleanRound(base, seed, name, groups_of(updates.keeping(moving(updates))))
        for name, updates in kept.items()
    ]


def _updates(path: Path) -> Updates:
    """Return the updates that an audit feeds to the panel."""
    fed: list[Updates] = []

    def keep(updates: Updates, _: int) -> Scores:
        fed.append(updates)
        return Scores(np.zeros(updates.participants), {}, {}, {})

    detector = UpdateDetector(DECLARATION, keep, {})
    audit(open_round(path), AuditSettings(detectors=(detector,), level=0.05))
    return fed[0]


def _digest() -> str:
    package, digest = Path(ariba_cli.__file__).parent, hashlib.sha256()
    for pattern in _FEEDS:
        for path in sorted(package.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
