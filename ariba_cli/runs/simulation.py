"""A whole run on disk: `run.json`, and a sealed round for every one that is kept."""

import os
from dataclasses import dataclass
from pathlib import Path

from ariba_cli.federated.federation import Federation, TrainedRound
from ariba_cli.progress import Progress, silent
from ariba_cli.rounds.contents import RUN_NAME
from ariba_cli.rounds.partial import hold, publish
from ariba_cli.rounds.writing import RoundWriter, new_directory, write_atomically
from ariba_cli.runs import checkpoint as checkpoints
from ariba_cli.runs.checkpoint import Checkpoint
from ariba_cli.runs.plan import Plan, round_name
from ariba_cli.runs.resuming import kept_for_resuming, read_finished, take_up
from ariba_cli.runs.run_file import encode_run


@dataclass(frozen=True)
class Simulated:
    """What a run left behind: its rounds, and the accuracy after each trained round."""

    rounds: tuple[Path, ...]
    accuracy: tuple[float, ...]


def simulate(
    plan: Plan, out: Path, *, resume: bool = False, progress: Progress = silent
) -> Simulated:
    """Train a federation from scratch and write it to the new directory `out`.

    When it fails after it has begun to train, `OUT.partial` is left, and the error has a
    note that says so. With `resume` that is finished, to the same bytes; where all is
    finished, nothing is done.

    Raises
    ------
    UsageError
        When there are too few samples, or `OUT.partial` or `out` was begun with another plan.
    InputError
        When `OUT.partial` or `out` is to be resumed and is not sound.
    OutputError
        When `out` exists or cannot be written; see `hold`.
    """
    if resume and os.path.lexists(out / RUN_NAME):
        accuracy = read_finished(out, plan)
    else:
        federation = Federation(plan.settings)
        with hold(out, resume=resume) as partial:
            point = take_up(partial, plan, federation)
            with kept_for_resuming(partial):
                accuracy = _train(federation, point, partial, progress)
                write_atomically(partial / RUN_NAME, [encode_run(plan.settings, accuracy)])
                checkpoints.discard(partial)
                publish(partial, out)
    return Simulated(tuple(out / round_name(number) for number in plan.kept()), accuracy)


def _train(
    federation: Federation, point: Checkpoint, partial: Path, progress: Progress
) -> tuple[float, ...]:
    """Train the rounds that are left; returns the accuracy after each of all."""
    plan, last = point.plan, point.plan.settings.rounds
    if point.finished == 0:
        checkpoints.save(partial, point)
    for trained in federation.rounds(point.weights, finished=point.finished):
        if plan.keep.keeps(trained.number, last):
            _write_round(trained, partial / round_name(trained.number), plan.format_name)
        point = Checkpoint(plan, (*point.accuracy, trained.accuracy), trained.following)
        checkpoints.save(partial, point)
        what = f"round {trained.number}, accuracy {trained.accuracy:.3f}"
        progress(what, trained.number, last)
    return point.accuracy


def _write_round(trained: TrainedRound, path: Path, format_name: str) -> None:
    if path.exists():
        # A run that was killed wrote it, and the same bytes.
        return
    with new_directory(path) as partial:
        writer = RoundWriter(partial, format_name=format_name)
        writer.write_global(trained.global_weights)
        for name, weights in trained.updates.items():
            writer.write_participant(name, weights)
        writer.seal(
            round_number=trained.number, kind="weights", layers=list(trained.global_weights)
        )
