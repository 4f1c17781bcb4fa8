"""Contestants against the yardstick, in turns: a slow phase of the machine slows both."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.federations import FederationSpec
from benchmarks.results import Row
from benchmarks.tasks import Task
from benchmarks.workers import FailedError, worker

# A contestant that has run for that many seconds is not run again.
_PATIENCE = 40.0


@dataclass(frozen=True)
class Timed:
    """A row, and the result of its last run: scores by layer, or a `Trained`."""

    row: Row
    found: dict[str, Any]


def nothing() -> None:
    """Do nothing before a run, which is the default."""


def in_turns(
    contestant: str,
    task: Task | FederationSpec,
    repeats: int,
    *,
    beside: str = "pread",
    before: Callable[[], None] = nothing,
) -> Timed:
    """Run a yardstick, `beside`, and a contestant in turns, once and then `repeats` times.

    Each has a process of its own. `before` is called before each run of either.
    """
    say(f"{contestant}, {task}")
    seconds: list[float] = []
    yardstick: list[float] = []
    known: dict[str, Any] = {}
    answer: dict[str, Any] = {"found": {}}
    try:
        with worker(beside, task) as reader, worker(contestant, task) as runner:
            known = {"imports": runner.imports, "peak_of_imports": runner.peak_of_imports}
            while len(seconds) <= repeats and sum(seconds) < _PATIENCE:
                before()
                yardstick.append(reader.run()["seconds"])
                before()
                answer = runner.run()
                seconds.append(answer["seconds"])
    except FailedError as failed:
        known["failure"] = str(failed)
    row = Row(
        name=contestant,
        bytes=task.bytes if isinstance(task, Task) else 0,
        rounds=task.rounds if isinstance(task, FederationSpec) else 0,
        seconds=tuple(seconds),
        yardstick=tuple(yardstick),
        peak=answer.get("peak"),
        **known,
    )
    return Timed(row, answer["found"])


def yardstick_row(rows: list[Row], name: str = "pread") -> Row:
    """Return the row of a yardstick, with its times beside all of them."""
    taken = [seconds for row in rows for seconds in row.yardstick]
    return Row(name=name, bytes=rows[0].bytes, seconds=tuple(taken), yardstick=tuple(taken))


def say(what: str) -> None:
    """Print a message to those who wait."""
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)
