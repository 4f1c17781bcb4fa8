"""The side that asks: it starts the child, waits for it no longer than it may take, and ends it."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import OpenFile
from ariba_cli.formats.isolation import messages

_CHILD = "ariba_cli.formats.isolation.child"

_LONGEST_REASON = 2**14
# What a reply is beside its list of tensors: at most a reason, every character escaped.
_MOST_OTHER_BYTES = 2**17
_SECONDS_TO_START = 120.0
_SECONDS_TO_GO = 0.5
# More than this a socket may not be able to wait.
_LONGEST_SECONDS = 1e6

_ENVIRONMENT = {
    # One thread each: every further one takes address space, which is limited.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # The HDF5 library loads no plugins, and locks no files.
    "HDF5_PLUGIN_PRELOAD": "::",
    "HDF5_USE_FILE_LOCKING": "FALSE",
}


class _CrashError(RefusedFileError):
    """The child is gone, or says what no sound child says."""


class Child:
    """A process that parses what one library reads, started when it is first asked.

    It is ended with this object, and replaced when a file brought it down.

    Parameters
    ----------
    library : the module of this folder that answers, `hdf5` or `pickles`.
    """

    def __init__(self, library: str, limits: Limits) -> None:
        self._library = library
        self._limits = limits
        self._running: _Running | None = None
        self._lock = threading.Lock()

    def ask(
        self, file: OpenFile, question: str, *, into: memoryview | None = None, **arguments: Any
    ) -> Any:
        """What the child says of an open file.

        Parameters
        ----------
        into : what is filled with the bytes that belong to the answer.

        Raises
        ------
        RefusedFileError
            When it refuses the file, takes too long, or comes to grief over it.
        """
        request = {"question": question, "arguments": arguments}
        with self._lock:
            reused = self._running is not None
            try:
                return self._ask(file, request, into)
            except _CrashError:
                if not reused:
                    raise
                # It may be a file before this one that has left it in ruins.
                return self._ask(file, request, into)

    def _ask(self, file: OpenFile, request: dict[str, Any], into: memoryview | None) -> Any:
        with self._watched() as wire:
            messages.send(wire.connection, request, [file.descriptor])
            answer = wire.reply("answer")
            while into:
                size = _count(wire.reply("bytes"), len(into))
                wire.fill(into[:size])
                into = into[size:]
            return answer

    @contextmanager
    def _watched(self) -> Iterator["_Wire"]:
        """The connection, and an end to the child whenever something goes wrong with it."""
        fresh = self._running is None
        self._running = running = self._running or _Running(self._library, self._limits)
        try:
            if fresh:
                # What it takes to start is not the file's fault.
                _Wire(running.connection, self._limits, _SECONDS_TO_START).reply("answer")
            yield _Wire(running.connection, self._limits, self._limits.seconds)
        except RefusedFileError:
            raise
        except TimeoutError:
            self._stop(running)
            raise RefusedFileError(
                f"took longer than {self._limits.seconds:g} s to parse (--timeout allows more)"
            ) from None
        except (OSError, EOFError, ValueError, KeyError, RecursionError):
            raise _CrashError(self._stop(running)) from None
        except BaseException:
            self._stop(running)
            raise

    def _stop(self, running: "_Running") -> str:
        self._running = None
        running.end()
        return _what_happened(running.process.returncode)


class _Wire:
    """A connection with a deadline."""

    def __init__(self, connection: socket.socket, limits: Limits, seconds: float) -> None:
        self.connection = connection
        self._most_bytes = limits.header_bytes + _MOST_OTHER_BYTES
        self._deadline = time.monotonic() + seconds
        self._hurry()

    def reply(self, key: str) -> Any:
        """What the next message says of it; a refusal is raised."""
        message = messages.receive(self, self._most_bytes)
        if "refused" in message:
            raise RefusedFileError(_line(message["refused"]))
        return message[key]

    def fill(self, buffer: memoryview) -> None:
        """The bytes that come next."""
        messages.fill(self, buffer)

    def recv_into(self, buffer: memoryview) -> int:
        """Some of them; they may come one at a time, but not for ever."""
        self._hurry()
        return self.connection.recv_into(buffer)

    def _hurry(self) -> None:
        left = self._deadline - time.monotonic()
        self.connection.settimeout(min(max(left, 0.001), _LONGEST_SECONDS))


class _Running:
    def __init__(self, library: str, limits: Limits) -> None:
        self.connection, theirs = socket.socketpair()
        arguments = {"library": library, "limits": asdict(limits)}
        with theirs:
            self.process = subprocess.Popen(
                # -P: nothing is imported from the directory that the user happens to be in.
                [sys.executable, "-P", "-m", _CHILD, str(theirs.fileno()), json.dumps(arguments)],
                pass_fds=[theirs.fileno()],
                env=os.environ | _ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self.end = weakref.finalize(self, _end, self.process, self.connection)


def _line(reason: object) -> str:
    """A reason that can be told; the child gives no other while it is itself."""
    if not isinstance(reason, str) or not reason.isprintable() or len(reason) > _LONGEST_REASON:
        raise ValueError
    return reason


def _count(announced: object, most: int) -> int:
    if type(announced) is not int or not 0 < announced <= most:
        raise ValueError(announced)
    return announced


def _end(process: "subprocess.Popen[bytes]", connection: socket.socket) -> None:
    """Take the connection away, on which a sound child goes, and make sure that it is gone."""
    connection.close()
    try:
        process.wait(_SECONDS_TO_GO)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _what_happened(code: int | None) -> str:
    if code is None or code >= 0:
        return f"stopped the process that parses it (exit code {code})"
    known = {number.value: number.name for number in signal.Signals}
    return f"crashed the process that parses it ({known.get(-code, f'signal {-code}')})"
