"""Runs on disk that are attacked for many rounds, each made once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ariba_cli.attacks.attacker import Attacker
from ariba_cli.federated.federation import Federation, Place, TrainedRound
from ariba_cli.files.atomic import write_atomically
from ariba_cli.rounds.contents import TRUTH_NAME
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.truth import Truth
from ariba_cli.rounds.writing import RoundWriter, new_directory
from ariba_cli.runs.plan import round_name
from benchmarks.detection.making import model_of
from benchmarks.detection.matrix import Attack
from benchmarks.history.matrix import ATTACKED
from benchmarks.honest import Base, honest_rounds

_EFFECT = "effect.json"
_DECIMALS = 4


@dataclass(frozen=True)
class AttackedRun:
    """The rounds of a run that were attacked.

    Attributes
    ----------
    rounds : tuple of path
        The rounds, in order.
    compromised : tuple of str
        The ids of the compromised, in all of them.
    accuracy, works : tuple of float
        The accuracy on the test set of the global model after each, and its X'% as a share.
    """

    rounds: tuple[Path, ...]
    compromised: tuple[str, ...]
    accuracy: tuple[float, ...]
    works: tuple[float, ...]


def clean_run(base: Base, seed: int, folder: Path, data_dir: Path | None) -> Sequence[Path]:
    """Return the rounds of an honest run, which is simulated if necessary."""
    return honest_rounds(base, seed, folder, data_dir)


def attacked_run(
    clean: Sequence[Path], base: Base, seed: int, attack: Attack, out: Path, data_dir: Path | None
) -> AttackedRun:
    """Return a run that goes on after an honest one, attacked in its last rounds."""
    first = base.rounds - ATTACKED + 1
    rounds = tuple(out / round_name(number) for number in range(first, base.rounds + 1))
    effect = out / _EFFECT
    if not effect.exists():
        out.mkdir(parents=True, exist_ok=True)
        with Federation(base.settings(seed), Place(data_dir=data_dir)) as federation:
            settings = attack.settings(federation.settings, federation.dataset.classes)
            attacker = Attacker(federation, settings)
            start = model_of(open_round(clean[first - 1]))
            accuracy, works = [], []
            for trained in federation.rounds(start, finished=first - 1, hook=attacker):
                accuracy.append(round(trained.quality.accuracy, _DECIMALS))
                works.append(round(attacker.backdoor_accuracy(trained.following), _DECIMALS))
                _write(trained, out / round_name(trained.number))
            found = {"compromised": attacker.compromised, "accuracy": accuracy, "works": works}
        write_atomically(effect, [json.dumps(found).encode()])
    known = json.loads(effect.read_bytes())
    return AttackedRun(rounds, *(tuple(known[key]) for key in ("compromised", "accuracy", "works")))


def _write(trained: TrainedRound, path: Path) -> None:
    if path.exists():
        # An attempt that was killed wrote it, and the same bytes.
        return
    with new_directory(path, resume=True) as partial:
        writer = RoundWriter(partial)
        writer.write_global(trained.global_weights)
        for name, weights in trained.updates.items():
            writer.write_participant(name, weights)
        writer.write(TRUTH_NAME, [Truth(trained.compromised, {}).encode()])
        writer.seal(
            round_number=trained.number, kind="weights", layers=list(trained.global_weights)
        )
