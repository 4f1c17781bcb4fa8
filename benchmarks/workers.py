"""The other end of `measure`, and whole processes of the command."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.federations import FederationSpec
from benchmarks.tasks import Task

REPOSITORY = Path(__file__).parent.parent
_UNIT = 1024


class FailedError(Exception):
    """The failure of a contestant to reach its marks; the message says why."""


class Worker:
    """A process that runs one contestant as often as it is asked to."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._ready = self._answer()

    @property
    def imports(self) -> float:
        """Return the seconds that its imports took."""
        return float(self._ready["imports"])

    @property
    def peak_of_imports(self) -> int:
        """Return the most memory that it had before its first run, in bytes."""
        return int(self._ready["peak"])

    def run(self) -> dict[str, Any]:
        """Run once, and return `seconds`, the result `found`, and `peak`, the most memory in bytes.

        Raises
        ------
        FailedError
            When the run fails.
        """
        if self._process.stdin is None:
            raise AssertionError("a worker has a pipe")
        print(file=self._process.stdin, flush=True)
        answer = self._answer()
        if "error" in answer:
            raise FailedError(answer["error"])
        return answer

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise FailedError(f"its process ended with {self._process.wait()}")
        return dict(json.loads(line))


@contextmanager
def worker(contestant: str, task: Task | FederationSpec) -> Iterator[Worker]:
    """Start a contestant, in a process that ends with the block."""
    described = (type(task).__name__, json.dumps(asdict(task)))
    command = [sys.executable, "-m", "benchmarks.measure", contestant, *described]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env=environment(),
    ) as process:
        try:
            yield Worker(process)
        finally:
            process.kill()


@dataclass(frozen=True)
class Whole:
    """A whole process: its time, the most memory that it had in bytes, and its output."""

    seconds: float
    peak: int
    output: bytes


def whole_process(arguments: Sequence[str]) -> Whole:
    """Run Python with these arguments.

    Raises
    ------
    FailedError
        When it does not end with 0.
    """
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            cwd=REPOSITORY,
            env=environment(),
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise FailedError(f"ended with {process.returncode}: {' '.join(arguments)}")
        output.seek(0)
        return Whole(seconds, usage.ru_maxrss * _UNIT, output.read())


def environment() -> dict[str, str]:
    """Return the variables of this process, with this code before any that is installed."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY)}
