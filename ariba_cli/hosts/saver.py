"""The saver of rounds, beside the training of a federation, which never fails because of it."""

import atexit
import fcntl
import json
import logging
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ariba_cli.base.ids import file_stem
from ariba_cli.formats import safetensors
from ariba_cli.formats.model import Model
from ariba_cli.hosts import frames
from ariba_cli.hosts.replies import Reply, specs_of, tensor_bytes
from ariba_cli.hosts.writing import in_file_order
from ariba_cli.rounds.contents import PARTICIPANTS
from ariba_cli.rounds.host import HostRecord
from ariba_cli.rounds.manifest import Kind
from ariba_cli.rounds.members import GLOBAL_STEM

_CHILD = "ariba_cli.hosts.writing"
_PIPE_BYTES = 2**20

# Rounds that wait to be written hold memory; when there is one, the server waits, but not for
# ever: a disk that hangs costs rounds, and not the federation.
_MOST_WAITING = 1
_LONGEST_WAIT = 300.0
_SECONDS_TO_GO = 600.0


@dataclass(frozen=True)
class Job:
    """A round to be saved.

    Attributes
    ----------
    path : Path
        The directory to make.
    number : int
        The number of the round.
    kind : str
        `weights`, or `difference` for updates that are differences to the global model.
    sent_out : Model, optional
        The global model.
    replies : sequence of Reply
        The replies; those without a model are in the record alone.
    record : HostRecord
        The content of `host.json`.
    """

    path: Path
    number: int
    kind: Kind
    sent_out: Model | None
    replies: Sequence[Reply]
    record: HostRecord

    @property
    def models(self) -> dict[str, Model]:
        """Return the models to write, by the path in the round."""
        found = {} if self.sent_out is None else {GLOBAL_STEM: self.sent_out}
        for one in self.replies:
            if one.model is not None:
                found[f"{PARTICIPANTS}/{file_stem(one.id)}"] = one.model
        return {f"{stem}{safetensors.SUFFIX}": model for stem, model in found.items()}


class Saver:
    """A saver that hands rounds to a process that writes them; see `writing`.

    Parameters
    ----------
    logger : Logger
        The logger of the rounds that were saved, and of those that could not be.

    Attributes
    ----------
    seconds_waited : float
        The time for which `save` has held up its callers, in seconds.
    unsaved : dict of int to str
        The reason why a round was not saved, by its number.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._log = logger
        self._jobs: queue.Queue[Job | None] = queue.Queue(_MOST_WAITING)
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self.seconds_waited = 0.0
        self.unsaved: dict[int, str] = {}

    def save(self, job: Job) -> None:
        """Have a round saved, and return before it is."""
        began = time.perf_counter()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="ariba-saver", daemon=True)
            self._thread.start()
            atexit.register(self.close)
        try:
            self._jobs.put(job, timeout=_LONGEST_WAIT)
        except queue.Full:
            self._give_up(job, f"the one before was not written within {_LONGEST_WAIT:g} s")
        self.seconds_waited += time.perf_counter() - began

    def close(self) -> None:
        """Wait until every round is saved, and end the process."""
        thread, self._thread = self._thread, None
        if thread is not None:
            atexit.unregister(self.close)
            self._jobs.put(None)
            thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._save(job)
            except Exception as error:
                # Whatever it is, the next round is saved, and the federation goes on.
                self._end_process()
                self._give_up(job, str(error) or type(error).__name__)
        self._end_process()

    def _save(self, job: Job) -> None:
        process = self._process = self._process or _start()
        answer = _hand_over(process, job)
        if "error" in answer:
            self._give_up(job, answer["error"])
        else:
            self._log.info("ariba: round %d is sealed in %s", job.number, job.path)

    def _give_up(self, job: Job, why: str) -> None:
        self.unsaved[job.number] = why
        self._log.warning(
            "ariba: round %d was not saved: %s; the federation goes on", job.number, why
        )

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None or process.stdin is None or process.stdout is None:
            return
        # What it did not take is lost with it.
        with suppress(OSError):
            process.stdin.close()
        try:
            process.wait(_SECONDS_TO_GO)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _start() -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        # -P: nothing is imported from the directory that the server happens to be in.
        [sys.executable, "-P", "-m", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Ctrl-C is for the server, which then waits for what it has handed over.
        start_new_session=True,
    )
    if process.stdin is not None:
        with suppress(OSError):
            fcntl.fcntl(process.stdin, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return process


def _hand_over(process: "subprocess.Popen[bytes]", job: Job) -> dict[str, str]:
    """Return the answer of the process after it has written a round.

    Raises
    ------
    EOFError
        When the process is gone.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    models = job.models
    specs = {path: specs_of(model) for path, model in models.items()}
    message = {
        "path": str(job.path),
        "number": job.number,
        "kind": job.kind,
        "layers": list(next(iter(models.values())).tensors) if models else [],
        "host": job.record.encode().decode("ascii"),
        "models": {
            path: [[name, spec.dtype, spec.shape] for name, spec in one.items()]
            for path, one in specs.items()
        },
    }
    process.stdin.write(frames.header(message))
    for path, model in models.items():
        for name in in_file_order(specs[path]):
            process.stdin.write(tensor_bytes(model, name))
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise EOFError("the process that saves rounds has ended")
    answer: dict[str, str] = json.loads(line)
    return answer
