"""The side that answers: a process for one file, with limits, behind walls.

It is forked by a process that has loaded all that it needs. It has two open files: the one to
parse, and the connection on which it answers. It takes its limits and walls before it reads
the first byte.
"""

import json
import math
import os
import resource
import socket
import sys
from contextlib import suppress
from dataclasses import asdict
from types import ModuleType
from typing import Any, BinaryIO, NoReturn

from ariba_cli.base.errors import RefusedFileError, TooManyNamesError
from ariba_cli.files.limits import Limits
from ariba_cli.formats.isolation import messages, walls

_MOST_REQUEST_BYTES = 2**20
_NOTHING = (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NPROC)


def serve(
    library: ModuleType, limits: Limits, seconds: float, connection: int, file: int
) -> NoReturn:
    """Answer questions about a file until the other side closes, and end the process.

    Parameters
    ----------
    library : module
        The module whose `QUESTIONS` are answered.
    limits : Limits
        The limits on the file.
    seconds : float
        The processor time that the process may take.
    connection : int
        The descriptor of the socket for questions and answers.
    file : int
        The descriptor of the file.
    """
    try:
        _close_all_but(connection, file)
        # Neither is ever closed: the other side would hear of that before the exit code is set.
        asked, stream = socket.socket(fileno=connection), open(file, "rb", buffering=0)  # noqa: SIM115
        too_much = _take_limits(limits, seconds, library.COPIES * os.fstat(file).st_size)
        messages.send(asked, {"answer": asdict(walls.enter())})
        while True:
            request = messages.receive(asked, _MOST_REQUEST_BYTES)
            try:
                _answer(asked, library, stream, limits, request)
            except MemoryError:
                messages.send(asked, {"refused": too_much})
    except EOFError:
        os._exit(0)
    finally:
        # Nothing is to go on with what this process was forked from.
        os._exit(1)


def _answer(
    connection: socket.socket,
    library: ModuleType,
    stream: BinaryIO,
    limits: Limits,
    request: dict[str, Any],
) -> None:
    """Send the answer, and then the bytes that belong to it, piece by piece."""
    try:
        question = library.QUESTIONS[request["question"]]
        answer, pieces = question(stream, limits, **request["arguments"])
        size = len(json.dumps(answer))
        if size > limits.header_bytes:
            raise RefusedFileError(f"has a list of tensors of {size:,} bytes, which is too long")
        messages.send(connection, {"answer": answer})
        for piece in pieces:
            data = memoryview(piece).cast("B")
            messages.send(connection, {"bytes": len(data)})
            connection.sendall(data)
    except RefusedFileError as error:
        too_many = isinstance(error, TooManyNamesError)
        messages.send(connection, {"refused": str(error), "too_many_names": too_many})


def _close_all_but(*kept: int) -> None:
    """Close every other inherited file, including stdin, stdout and stderr."""
    for descriptor in map(int, os.listdir("/dev/fd")):
        if descriptor not in kept:
            # One of them was that of the list itself.
            with suppress(OSError):
                os.close(descriptor)


def _take_limits(limits: Limits, seconds: float, copies_bytes: int) -> str:
    """Set limits that allow for one file; return the message about a file that needs more memory.

    They never exceed limits that the user has set.
    """
    too_much = f"needs more than {limits.memory_bytes:,} bytes of memory to parse"
    if sys.platform == "linux":
        wanted = _held_bytes() + limits.memory_bytes + copies_bytes
        allowed = min(wanted, _hard_limit(resource.RLIMIT_AS))
        resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
        if allowed < wanted:
            too_much = "needs more memory to parse than ulimit -v allows"
    # The kernel ends what nobody waits for any more; at the hard limit it would not say why.
    hard = _hard_limit(resource.RLIMIT_CPU)
    busy = min(math.ceil(seconds) + 1, max(1, hard - 1))
    resource.setrlimit(resource.RLIMIT_CPU, (busy, min(busy + 1, hard)))
    for what in _NOTHING:
        resource.setrlimit(what, (0, 0))
    return too_much


def _hard_limit(what: int) -> int:
    hard = resource.getrlimit(what)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def _held_bytes() -> int:
    """Return the size of the address space that is already in use."""
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()
