"""A whole run on disk: `run.json`, and a sealed round for each that is kept."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ariba_cli.attacks.attacker import Attacker
from ariba_cli.attacks.outcome import Measured
from ariba_cli.base.progress import Progress, no_message, no_progress
from ariba_cli.federated.federation import Federation, Place, TrainedRound
from ariba_cli.files.atomic import write_atomically
from ariba_cli.files.partial import hold, publish
from ariba_cli.formats import peft
from ariba_cli.rounds.contents import BASE_NAME, RUN_NAME, TRUTH_NAME
from ariba_cli.rounds.writing import RoundWriter, new_directory
from ariba_cli.runs import checkpoint as checkpoints
from ariba_cli.runs.base_model import read_base, write_base
from ariba_cli.runs.checkpoint import Checkpoint
from ariba_cli.runs.plan import Plan, round_name
from ariba_cli.runs.resuming import kept_for_resuming, read_finished, take_up
from ariba_cli.runs.run_file import Point, encode_run


@dataclass(frozen=True)
class Simulated:
    """The result of a run: its rounds, and the quality of the model after each trained round."""

    rounds: tuple[Path, ...]
    curve: tuple[Point, ...]


def simulate(
    plan: Plan,
    out: Path,
    *,
    place: Place | None = None,
    resume: bool = False,
    progress: Progress = no_progress,
    say: Callable[[str], None] = no_message,
    warn: Callable[[str], None] = no_message,
) -> Simulated:
    """Train a federation from scratch and write it to the new directory `out`.

    When it fails after it has begun to train, `OUT.partial` is left, and the error has a
    note that says so. With `resume` that run is finished, to the same bytes; a finished run is left
    as it is. `say` is called with the steps of the work, and `warn` with the warnings.

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
        curve = read_finished(out, plan)
    else:
        with hold(out, resume=resume) as partial, _federation(plan, place, partial) as federation:
            attacker = None if plan.attack is None else Attacker(federation, plan.attack)
            say(f"training {federation.engine.description}")
            _warn_of_the_empty_handed(federation, warn)
            point = take_up(partial, plan, federation)
            with kept_for_resuming(partial):
                training = _Training(federation, attacker, partial, progress, say)
                curve = training.finish(point)
                encoded = encode_run(federation, plan.attack, curve)
                write_atomically(partial / RUN_NAME, [encoded])
                checkpoints.discard(partial)
                publish(partial, out)
    return Simulated(tuple(out / round_name(number) for number in plan.kept()), curve)


def _federation(plan: Plan, place: Place | None, partial: Path) -> Federation:
    """Return the federation of a plan, with the pre-trained network of a run that was begun."""
    stored = partial / BASE_NAME
    begun = plan.settings.lora is not None and os.path.lexists(stored)
    return Federation(plan.settings, place, base=read_base(stored) if begun else None)


def _warn_of_the_empty_handed(federation: Federation, warn: Callable[[str], None]) -> None:
    least = federation.architecture.least_batch
    without = [name for name, held in federation.holdings.items() if sum(held) < least]
    if without:
        few = "no samples" if least == 1 else f"fewer than {least} samples"
        warn(f"these have {few}, and send the global model back: {', '.join(without)}")


@dataclass(frozen=True)
class _Training:
    """The training of a federation, which writes the rounds that are kept."""

    federation: Federation
    attacker: Attacker | None
    partial: Path
    progress: Progress
    say: Callable[[str], None]

    def finish(self, point: Checkpoint) -> tuple[Point, ...]:
        """Train the rounds that are left, and return a point for each round of the run."""
        plan, last = point.plan, point.plan.settings.rounds
        write_base(self.partial, self.federation)
        if point.finished == 0:
            checkpoints.save(self.partial, point, self.federation)
        backdoored = ""

        def progress(what: str, done: int, total: int) -> None:
            self.progress(what + backdoored, done, total)

        for trained in self.federation.rounds(
            point.weights,
            finished=point.finished,
            hook=self.attacker,
            progress=progress,
        ):
            measured = self._point(trained)
            if plan.keep.keeps(trained.number, last):
                self._write(trained, measured, plan)
            point = Checkpoint(plan, (*point.curve, measured), trained.following)
            checkpoints.save(self.partial, point, self.federation)
            self.say(_in_words(trained.number, measured))
            if measured.backdoor_accuracy is not None:
                backdoored = f", backdoor {measured.backdoor_accuracy:.3f}"
            # The next round is trained before this name is given to it.
            del trained
        return point.curve

    def _point(self, trained: TrainedRound) -> Point:
        quality, attacker = trained.quality, self.attacker
        return Point(
            accuracy=quality.accuracy,
            loss=quality.loss if math.isfinite(quality.loss) else None,
            backdoor_accuracy=attacker.backdoor_accuracy(trained.following) if attacker else None,
        )

    def _write(self, trained: TrainedRound, measured: Point, plan: Plan) -> None:
        path = self.partial / round_name(trained.number)
        if path.exists():
            # A run that was killed wrote it, and the same bytes.
            return
        with new_directory(path) as partial:
            writer = RoundWriter(partial, format_name=plan.written_format)
            writer.write_global(trained.global_weights)
            for name, weights in trained.updates.items():
                writer.write_participant(name, weights)
            after = measured.backdoor_accuracy
            if self.attacker is not None and after is not None and trained.compromised:
                forged = self.attacker.forged(
                    trained.global_weights, Measured(measured.accuracy, after)
                )
                forged = replace(forged, compromised=trained.compromised)
                writer.write(TRUTH_NAME, [forged.truth().encode()])
            names = list(trained.global_weights)
            layers = names if plan.settings.lora is None else peft.changed_layers(names)
            writer.seal(round_number=trained.number, kind="weights", layers=layers)


def _in_words(number: int, point: Point) -> str:
    said = f"round {number}: accuracy {point.accuracy:.4f}"
    if point.loss is not None:
        said += f", loss {point.loss:.4f}"
    if point.backdoor_accuracy is not None:
        said += f", backdoor accuracy {point.backdoor_accuracy:.4f}"
    return said
