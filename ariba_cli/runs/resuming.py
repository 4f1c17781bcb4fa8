"""The state of a run at its start: nothing, a part that it can go on with, or all."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ariba_cli.base.errors import InputError, RefusedFileError, UsageError
from ariba_cli.federated.federation import Federation
from ariba_cli.files.partial import PARTIAL_SUFFIX, TEMPORARY, check_contents, remove
from ariba_cli.formats import ENCODERS
from ariba_cli.rounds.contents import BASE_NAME, RUN_NAME
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.members import GLOBAL_STEM
from ariba_cli.rounds.writing import ROUND_CONTENTS
from ariba_cli.runs import checkpoint as checkpoints
from ariba_cli.runs.checkpoint import REMOVE, Checkpoint
from ariba_cli.runs.plan import Keep, Plan, round_name
from ariba_cli.runs.run_file import Point, Run, read_run_file

_ROUND = r"round_[0-9]{4,}"
_UNFINISHED = rf"{_ROUND}{re.escape(PARTIAL_SUFFIX)}|{TEMPORARY}"
_RUN_CONTENTS = (
    rf"{re.escape(RUN_NAME)}|{re.escape(checkpoints.NAME)}|{checkpoints.WEIGHTS}|{TEMPORARY}"
    rf"|{re.escape(BASE_NAME)}"
    rf"|{_ROUND}({re.escape(PARTIAL_SUFFIX)})?/({ROUND_CONTENTS})?"
)


def take_up(partial: Path, plan: Plan, federation: Federation) -> Checkpoint:
    """Return the checkpoint of the run in a directory, and remove unfinished files.

    Raises
    ------
    UsageError
        When it was begun with another plan.
    InputError
        When a file in it is not sound.
    OutputError
        When something is there that this program did not write.
    """
    check_contents(partial, _RUN_CONTENTS)
    found = _rounds_in(partial)
    if os.path.lexists(partial / checkpoints.NAME):
        point = checkpoints.load(partial, plan, federation)
        # A round gets its name before the checkpoint says that it is finished.
        if found not in (plan.kept(point.finished), plan.kept(point.finished + 1)):
            raise InputError(
                f"'{partial}' does not hold the rounds that its {checkpoints.NAME} names; {REMOVE}"
            )
        _check_rounds(partial, found)
    elif os.path.lexists(partial / RUN_NAME):
        # The checkpoint goes last, and nothing is left to train then.
        run = _read_run(partial)
        checkpoints.check_same_ground(partial, run.versions, run.fingerprint, federation)
        point = Checkpoint(plan, read_finished(partial, plan), {})
    elif found:
        raise InputError(f"'{partial}' has rounds, but no {checkpoints.NAME}; {REMOVE}")
    else:
        point = Checkpoint(plan, (), federation.initial_weights())
    for path in list(partial.iterdir()):
        if re.fullmatch(_UNFINISHED, path.name):
            remove(path)
    return point


def read_finished(directory: Path, plan: Plan) -> tuple[Point, ...]:
    """Return the curve of a complete run, if it was made by `plan`.

    Raises
    ------
    UsageError
        When it was made by another plan.
    InputError
        When it is not sound.
    """
    run = _read_run(directory)
    found = _rounds_in(directory)
    as_long_as_it_says = len(run.curve) == run.settings.rounds
    keep = _kept_by(replace(plan, settings=run.settings), found) if as_long_as_it_says else None
    if keep is None:
        raise InputError(f"'{directory}' does not hold the rounds of a run; {REMOVE}")
    _check_rounds(directory, found)
    format_name = _format_of(directory / round_name(found[-1]))
    made = Plan(settings=run.settings, attack=run.attack, keep=keep, format_name=format_name)
    plan.check_same(made, str(directory))
    return run.curve


@contextmanager
def kept_for_resuming(partial: Path) -> Iterator[None]:
    """Keep, when the block fails, the files that a run can go on with; remove the others.

    The error has a note that says so.
    """
    try:
        yield
    except BaseException as error:
        if any(os.path.lexists(partial / name) for name in (checkpoints.NAME, RUN_NAME)):
            # With the same options it would come to the same.
            other = isinstance(error, UsageError)
            error.add_note(
                f"remove '{partial}' to start again" if other else "finish it with --resume"
            )
        elif partial.is_dir():
            for path in list(partial.iterdir()):
                remove(path)
        raise


def _kept_by(plan: Plan, found: list[int]) -> Keep | None:
    """Return the value of `--keep` by which these rounds were written; the plan's where it fits."""
    if not found or found[0] < 1 or found[-1] != plan.settings.rounds:
        return None
    # Every N-th round begins with the N-th.
    for keep in (plan.keep, Keep(), Keep(every=found[0])):
        if replace(plan, keep=keep).kept() == found:
            return keep
    return None


def _read_run(directory: Path) -> Run:
    try:
        return read_run_file(directory / RUN_NAME)
    except RefusedFileError as error:
        raise InputError(f"'{directory / RUN_NAME}' {error}; {REMOVE}") from error


def _rounds_in(directory: Path) -> list[int]:
    names = (entry for entry in os.listdir(directory) if re.fullmatch(_ROUND, entry))
    return sorted(int(name.removeprefix("round_")) for name in names)


def _check_rounds(directory: Path, numbers: list[int]) -> None:
    """Refuse rounds that differ from their seals."""
    for number in numbers:
        path = directory / round_name(number)
        round_ = open_round(path)
        if round_.findings or round_.manifest is None or round_.manifest.round != number:
            raise InputError(f"'{path}' is not as ariba sealed it; {REMOVE}")


def _format_of(path: Path) -> str:
    """Return the name of the format in which a round is written."""
    global_model = open_round(path).global_model
    if global_model and global_model.path == GLOBAL_STEM:
        # The folder of an adapter.
        return "safetensors"
    suffix = Path(global_model.path).suffix if global_model else ""
    for name, format_ in ENCODERS.items():
        if suffix == format_.SUFFIX:
            return name
    raise InputError(f"'{path}' has no global model; {REMOVE}")
