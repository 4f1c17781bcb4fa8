"""The run of an arena: it keeps existing results, records failures, and goes on with the rest."""

import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from ariba_cli.arena.config import Config
from ariba_cli.arena.measures import about, measured
from ariba_cli.arena.steps import Cell, Command, Made, Step, cells
from ariba_cli.base.errors import AribaError, OutputError, RefusedFileError, UsageError
from ariba_cli.base.progress import Progress, no_message, no_progress
from ariba_cli.files.atomic import write_atomically
from ariba_cli.files.strict_json import parse_object

DONE, FAILED = "done", "failed"
# Defaults of options in the environment would be missing in the commands that are written down.
_KEPT_VARIABLES = frozenset({"ARIBA_NATIVE", "ARIBA_DATA_DIR"})
# Nor may a file with such defaults decide anything.
_NO_CONFIG = {"ARIBA_CONFIG": os.devnull}
_SECONDS_TO_STOP = 10.0

Record = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """The settings of a run of an arena.

    Attributes
    ----------
    folder : path
        The folder of all results.
    jobs : int
        The number of commands that run at a time.
    data_dir : path, optional
        The folder of data sets.
    """

    folder: Path
    jobs: int = 1
    data_dir: Path | None = None


@dataclass
class _Processes:
    """The commands that run, so that they can be stopped."""

    settings: Settings
    running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopped: bool = False

    def run(self, command: Command) -> str | None:
        """Run a command of ariba; return the last line of its messages if it failed."""
        with self.lock:
            if self.stopped:
                return "stopped"
            process = subprocess.Popen(
                [sys.executable, "-m", "ariba_cli", *command],
                cwd=self.settings.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            self.running.add(process)
        _, said = process.communicate()
        with self.lock:
            self.running.discard(process)
        if process.returncode == 0:
            return None
        lines = said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"ended with {process.returncode}"

    def stop(self) -> None:
        """End the running commands; each leaves its folder whole, or ready to be resumed."""
        with self.lock:
            self.stopped = True
            running = list(self.running)
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(_SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                process.kill()

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ARIBA_") or name in _KEPT_VARIABLES
        }
        if self.settings.data_dir is not None:
            kept["ARIBA_DATA_DIR"] = str(self.settings.data_dir.absolute())
        return kept | _NO_CONFIG


def run(
    config: Config,
    settings: Settings,
    *,
    progress: Progress = no_progress,
    warn: Callable[[str], None] = no_message,
) -> list[Record]:
    """Run every cell that is not there yet, and return the record of each, in their order.

    A cell that failed is tried again. When this is stopped, finished cells stay, and the same
    call goes on from there.

    Parameters
    ----------
    config : Config
        The config of the arena.
    settings : Settings
        The folder, and the number of commands at a time.
    progress : Progress, optional
        The function that receives the number of finished cells.
    warn : callable, optional
        The function that receives a message for each cell that fails.

    Raises
    ------
    UsageError
        When the folder has steps of the same names that other commands made.
    OutputError
        When a record cannot be written.
    """
    every = cells(config)
    known = {cell: _read(settings.folder / cell.record) for cell in every}
    todo = _todo(known, settings.folder)
    results = {cell: record for cell, record in known.items() if record is not None}
    finished = len(every) - sum(isinstance(step, Cell) for step in todo)
    progress("cells", finished, len(every))
    for step, record in _run_all(todo, settings):
        if record["status"] == FAILED:
            warn(f"{step.path}: {record['error']}")
        if isinstance(step, Cell):
            results[step] = record
            finished += 1
            progress("cells", finished, len(every))
    return [results[cell] for cell in every]


def _todo(known: Mapping[Cell, Record | None], folder: Path) -> dict[Step, list[Step]]:
    """Return the steps to run, each with those of them that come before it.

    Parameters
    ----------
    known : mapping
        The record of every cell; None where there is none.
    folder : path
        The folder of all results.
    """
    needed = dict.fromkeys(step for cell in known for step in cell.needs)
    missing = {step for step in needed if _is_missing(step, folder)}
    todo: dict[Step, list[Step]] = {}
    for cell, record in known.items():
        made: list[Step] = [step for step in cell.needs if step in missing]
        for place, step in enumerate(made):
            todo[step] = made[:place]
        if made or record is None or record["status"] == FAILED or _is_old(cell, record, folder):
            todo[cell] = made
    return todo


def _is_missing(step: Made, folder: Path) -> bool:
    """Return whether a run or a round is yet to be made.

    Raises
    ------
    UsageError
        When other commands made the one in its place.
    """
    record = _read(folder / step.record)
    if record is None or record["status"] == FAILED:
        return True
    if record["commands"] == _typed(step.commands(folder)):
        return False
    raise UsageError(
        f"'{folder / step.path}' was made with other commands than the config has now; remove it "
        f"and '{folder / step.record}', or name another folder"
    )


def _is_old(cell: Cell, record: Record, folder: Path) -> bool:
    return bool(record["commands"] != _typed(cell.history(folder)))


def _run_all(todo: dict[Step, list[Step]], settings: Settings) -> Iterator[tuple[Step, Record]]:
    """Yield each step with its record when it has ended; the steps before it ended first."""
    order = TopologicalSorter(todo)
    order.prepare()
    failed: dict[Step, str] = {}
    with _pool(settings) as (pool, processes):
        waiting: dict[Future[Record], Step] = {}
        while order.is_active():
            for step in order.get_ready():
                error = next((failed[one] for one in todo[step] if one in failed), None)
                waiting[pool.submit(_run_step, step, processes, error)] = step
            ended, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ended:
                step, record = waiting.pop(future), future.result()
                if record["status"] == FAILED:
                    failed[step] = record["error"]
                order.done(step)
                yield step, record


@contextmanager
def _pool(settings: Settings) -> Iterator[tuple[ThreadPoolExecutor, _Processes]]:
    """Yield threads that wait for commands; any end of the block ends the commands."""
    processes = _Processes(settings)
    pool = ThreadPoolExecutor(settings.jobs)
    try:
        yield pool, processes
    finally:
        processes.stop()
        pool.shutdown(cancel_futures=True)


def _run_step(step: Step, processes: _Processes, error: str | None) -> Record:
    """Run the commands of a step, and record its end.

    Parameters
    ----------
    step : Step
        The step to run.
    processes : _Processes
        The running commands.
    error : str, optional
        The reason why it cannot be run: a step before it has failed.
    """
    folder = processes.settings.folder
    started = time.monotonic()
    record: Record = about(step) if isinstance(step, Cell) else {}
    commands: list[Command] = []
    try:
        if error is None:
            commands = step.history(folder) if isinstance(step, Cell) else step.commands(folder)
            error = _first_error(step, processes)
        if error is None and isinstance(step, Cell):
            record["measures"] = measured(step, folder)
    except AribaError as problem:
        error = str(problem)
    record |= {"status": DONE if error is None else FAILED, "error": error}
    record |= {"commands": _typed(commands), "seconds": round(time.monotonic() - started, 2)}
    if not processes.stopped:
        place = folder / step.record
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, [json.dumps(record, sort_keys=True, indent=2).encode(), b"\n"])
    return record


def _first_error(step: Step, processes: _Processes) -> str | None:
    """Run the commands of a step one after the other; return the error of the first that fails."""
    folder = processes.settings.folder
    # What a command that was stopped has left is finished.
    more = [] if isinstance(step, Cell) else ["--resume"]
    if isinstance(step, Cell):
        (folder / step.path).mkdir(parents=True, exist_ok=True)
    for command in step.commands(folder):
        said = processes.run([*command, *more])
        if said is not None:
            return f"ariba {command[0]}: {said.removeprefix('error: ')}"
    if isinstance(step, Cell):
        # The commands make it again.
        (folder / step.model).unlink(missing_ok=True)
    return None


def _typed(commands: Sequence[Command]) -> list[str]:
    """Return commands in the form in which they are typed."""
    return [shlex.join(["ariba", *command]) for command in commands]


def _read(path: Path) -> Record | None:
    """Return a record; None where there is none.

    Raises
    ------
    OutputError
        When it is not a record.
    """
    try:
        record = parse_object(path.read_bytes(), "a record")
    except FileNotFoundError:
        return None
    except RefusedFileError as error:
        raise OutputError(f"'{path}' {error}; remove it") from error
    if not isinstance(record.get("commands"), list) or record.get("status") not in (DONE, FAILED):
        raise OutputError(f"'{path}' is not the record of a step; remove it")
    return record
