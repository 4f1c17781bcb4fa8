"""The process that one contestant runs in: `python -m benchmarks.measure NAME KIND TASK`.

It prints a line of JSON when it has imported what it needs, and one for each run that it is
asked for by a line on its standard input.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from benchmarks import contestants, trainers
from benchmarks.federations import FederationSpec
from benchmarks.tasks import Task

# ru_maxrss counts KiB on Linux.
_UNIT = 1024

# A library that needs more memory than the machine has then fails, before others suffer.
_SHARE_OF_MEMORY = 0.9


def main() -> None:
    """Serve until the standard input ends."""
    answers = _keep_stdout()
    name, kind, task = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    started = time.perf_counter()
    run = {"Task": _auditing, "FederationSpec": _training}[kind](name, task)
    _say(answers, {"imports": time.perf_counter() - started, "peak": _peak()})
    for _ in sys.stdin:
        _say(answers, _measured(run))


def _auditing(name: str, task: dict[str, Any]) -> Callable[[], Any]:
    if name in contestants.CONTESTANTS and name != "ours":
        _limit_memory()
    prepare = {**contestants.YARDSTICKS, **contestants.CONTESTANTS}[name]
    return prepare(Task(**task | {"layers": tuple(task["layers"])}))


def _training(name: str, task: dict[str, Any]) -> Callable[[], Any]:
    return trainers.TRAINERS[name](FederationSpec(**task))


def _measured(run: Callable[[], Any]) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        found = run()
    except Exception as error:  # Whatever it is, the other contestants go on.
        why = str(error) or "out of memory"
        return {"error": f"{type(error).__name__}: {why.splitlines()[0]}"}
    return {"seconds": time.perf_counter() - started, "found": found, "peak": _peak()}


def _peak() -> int:
    """Return the most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def _keep_stdout() -> TextIO:
    """Return the stream to the parent; whatever a library prints goes to stderr."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(kept, "w")


def _limit_memory() -> None:
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    resource.setrlimit(resource.RLIMIT_DATA, (int(free * _UNIT * _SHARE_OF_MEMORY),) * 2)


def _say(answers: TextIO, what: dict[str, Any]) -> None:
    print(json.dumps(what), file=answers, flush=True)


if __name__ == "__main__":
    main()
