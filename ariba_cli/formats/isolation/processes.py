"""The processes that parse: their start, their answers and their end, seen from outside."""

import os
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from ariba_cli.base.errors import RefusedFileError, ResourceError, TooManyNamesError
from ariba_cli.files.opening import OpenFile
from ariba_cli.formats.isolation import messages
from ariba_cli.formats.isolation.walls import Walls

_NURSERY = "ariba_cli.formats.isolation.nursery"

_LONGEST_REASON = 2**14
# What a reply is beside its list of tensors: at most a reason, every character escaped.
_MOST_OTHER_BYTES = 2**17
_SECONDS_TO_START = 120.0
_SECONDS_TO_GO = 0.5
# More than this a socket may not be able to wait.
_LONGEST_SECONDS = 1e6

# All that the processes get to know of the environment: where Python finds its modules.
_KEPT_VARIABLES = (
    "HOME",
    "LD_LIBRARY_PATH",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
    "PYTHONNOUSERSITE",
    "PYTHONPATH",
    "PYTHONPYCACHEPREFIX",
    "PYTHONUSERBASE",
)
_VARIABLES = {
    # One thread each: every further one takes address space, which is limited.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # The HDF5 library loads no plugins, and locks no files.
    "HDF5_PLUGIN_PRELOAD": "::",
    "HDF5_USE_FILE_LOCKING": "FALSE",
}


@dataclass(frozen=True)
class Child:
    """A process that answers on a connection of its own, and the walls that it has taken."""

    number: int
    connection: socket.socket
    walls: Walls


class Wire:
    """A connection with a deadline."""

    def __init__(self, connection: socket.socket, header_bytes: int, seconds: float) -> None:
        self.connection = connection
        self._most_bytes = header_bytes + _MOST_OTHER_BYTES
        self._deadline = time.monotonic() + seconds
        self._hurry()

    def reply(self, key: str) -> Any:
        """Return the value of a key in the next message; raise an error if that is a refusal."""
        message = messages.receive(self, self._most_bytes)
        if "refused" in message:
            too_many = message.get("too_many_names") is True
            kind = TooManyNamesError if too_many else RefusedFileError
            raise kind(_line(message["refused"]))
        return message[key]

    def fill(self, buffer: memoryview) -> None:
        """Fill a buffer with the bytes that come next."""
        messages.fill(self, buffer)

    def recv_into(self, buffer: memoryview) -> int:
        """Receive some bytes before the deadline, perhaps one at a time."""
        self._hurry()
        return self.connection.recv_into(buffer)

    def _hurry(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.connection.settimeout(min(left, _LONGEST_SECONDS))


class Nursery:
    """The process that has loaded a library and forks children."""

    def __init__(self, library: str) -> None:
        self._started = 0
        self._control, theirs = _connected()
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        with theirs:
            try:
                self.process = subprocess.Popen(
                    # -P: nothing is imported from the directory that the user happens to be in.
                    [sys.executable, "-P", "-m", _NURSERY, str(theirs.fileno()), library],
                    pass_fds=[theirs.fileno()],
                    env=kept | _VARIABLES,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            except OSError as error:
                self._control.close()
                raise _cannot_start(error.strerror or str(error)) from error
        self.close = weakref.finalize(self, _end, self.process, self._control)
        with self._answering() as wire:
            wire.reply("answer")

    def start(self, file: OpenFile, seconds: float, instead_of: Child | None = None) -> Child:
        """Return a child for a file, which has taken its walls; perhaps in place of another."""
        ours, theirs = _connected()
        self._started += 1
        request = {
            "question": "start",
            "child": self._started,
            "end": None if instead_of is None else instead_of.number,
            "limits": asdict(file.limits),
            "seconds": min(max(seconds, 0.0), _LONGEST_SECONDS),
        }
        try:
            with self._answering():
                with theirs:
                    messages.send(self._control, request, [theirs.fileno(), file.descriptor])
                found = Wire(ours, 0, _SECONDS_TO_START).reply("answer")
                child = Child(self._started, ours, Walls(**found))
        except BaseException:
            ours.close()
            raise
        weakref.finalize(child, ours.close)
        return child

    def end(self, child: Child) -> int:
        """End a child, and return its exit code, or the negated number of its signal."""
        with self._answering() as wire:
            messages.send(self._control, {"question": "end", "end": child.number})
            return int(wire.reply("answer"))

    @contextmanager
    def _answering(self) -> Iterator[Wire]:
        """Provide the connection to the nursery; its failures are not blamed on a file."""
        try:
            yield Wire(self._control, 0, _SECONDS_TO_START)
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            self.close()
            raise _cannot_start(f"it ended with {self.process.returncode}") from error


def _connected() -> tuple[socket.socket, socket.socket]:
    try:
        return socket.socketpair()
    except OSError as error:
        raise _cannot_start(error.strerror or str(error)) from error


def _cannot_start(why: str) -> ResourceError:
    return ResourceError(
        f"the process that parses HDF5 and pickles cannot be started ({why}); allow more "
        "memory, processes and files with ulimit -v, -u and -n"
    )


def _line(reason: object) -> str:
    """Return a reason after checking that it can be printed; a sound child sends no other."""
    if not isinstance(reason, str) or not reason.isprintable() or len(reason) > _LONGEST_REASON:
        raise ValueError
    return reason


def _end(process: "subprocess.Popen[bytes]", connection: socket.socket) -> None:
    """Close the connection, which makes a sound child exit, and make sure that it is gone."""
    connection.close()
    try:
        process.wait(_SECONDS_TO_GO)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
