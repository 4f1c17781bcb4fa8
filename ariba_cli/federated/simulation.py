"""A whole run on disk: `run.json`, and a sealed round for every one that is kept."""

import re
from dataclasses import dataclass
from pathlib import Path

from ariba_cli.errors import UsageError
from ariba_cli.federated.federation import Federation, FederationSettings, TrainedRound
from ariba_cli.federated.run_file import encode_run
from ariba_cli.progress import Progress, silent
from ariba_cli.rounds.contents import RUN_NAME
from ariba_cli.rounds.writing import RoundWriter, new_directory, write_atomically


@dataclass(frozen=True)
class Keep:
    """Which rounds are written: every `every`-th, and always the last."""

    every: int | None = None

    def keeps(self, number: int, last: int) -> bool:
        """Whether this round of `last` is written."""
        return number == last or (self.every is not None and number % self.every == 0)


def parse_keep(text: str) -> Keep:
    """Read `all`, `last` or `every:N`.

    Raises
    ------
    UsageError
        When it is none of them.
    """
    if text == "last":
        return Keep()
    if text == "all":
        return Keep(every=1)
    every = re.fullmatch(r"every:([1-9][0-9]{0,8})", text)
    if every:
        return Keep(every=int(every[1]))
    raise UsageError(f"--keep knows no '{text}'; use all, last or every:N, as every:10")


@dataclass(frozen=True)
class Simulated:
    """What a run left behind: its rounds, and the accuracy after each trained round."""

    rounds: tuple[Path, ...]
    accuracy: tuple[float, ...]


def simulate(
    settings: FederationSettings,
    out: Path,
    *,
    keep: Keep,
    format_name: str,
    progress: Progress = silent,
) -> Simulated:
    """Train a federation from scratch and write it to the new directory `out`.

    Raises
    ------
    OutputError
        When `out` exists or cannot be written; then nothing is left of it.
    """
    federation = Federation(settings)
    names, accuracy = [], []
    with new_directory(out) as partial:
        for trained in federation.rounds():
            accuracy.append(trained.accuracy)
            if keep.keeps(trained.number, settings.rounds):
                names.append(f"round_{trained.number:04d}")
                _write_round(trained, partial / names[-1], format_name)
            what = f"round {trained.number}, accuracy {trained.accuracy:.3f}"
            progress(what, trained.number, settings.rounds)
        write_atomically(partial / RUN_NAME, [encode_run(settings, accuracy)])
    return Simulated(tuple(out / name for name in names), tuple(accuracy))


def _write_round(trained: TrainedRound, path: Path, format_name: str) -> None:
    with new_directory(path) as partial:
        writer = RoundWriter(partial, format_name=format_name)
        writer.write_global(trained.global_weights)
        for name, weights in trained.updates.items():
            writer.write_participant(name, weights)
        writer.seal(
            round_number=trained.number, kind="weights", layers=list(trained.global_weights)
        )
