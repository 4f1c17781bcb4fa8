"""The side that answers: a process that may take little memory and time, and open no files.

    python -m ariba_cli.formats.isolation.child DESCRIPTOR ARGUMENTS

It has imported and tried all that it needs before it takes its limits; from then on the
only file that it can have open is the one that it was handed.
"""

import importlib
import json
import os
import resource
import signal
import socket
import sys
from typing import Any, BinaryIO

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.formats.isolation import messages

_MOST_REQUEST_BYTES = 2**20


def main() -> None:
    """Answer until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    arguments = json.loads(sys.argv[2])
    limits = Limits(**arguments["limits"])
    library = importlib.import_module(f"ariba_cli.formats.isolation.{arguments['library']}")
    library.try_out()
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        held = _take_limits()
        messages.send(connection, {"answer": "ready"})
        while True:
            try:
                request, descriptor = messages.receive_with_file(connection, _MOST_REQUEST_BYTES)
            except EOFError:
                return
            with os.fdopen(descriptor, "rb", buffering=0) as stream:
                most = limits.memory_bytes + library.COPIES * os.fstat(descriptor).st_size
                _limit_question(limits, held + most if held else resource.RLIM_INFINITY)
                _answer(connection, library.QUESTIONS[request["question"]], stream, limits, request)


def _answer(
    connection: socket.socket,
    question: Any,
    stream: BinaryIO,
    limits: Limits,
    request: dict[str, Any],
) -> None:
    """Send what is found, and then the bytes that belong to it, piece by piece."""
    try:
        answer, pieces = question(stream, limits, **request["arguments"])
        size = len(json.dumps(answer))
        if size > limits.header_bytes:
            raise RefusedFileError(f"has a list of tensors of {size:,} bytes")
        messages.send(connection, {"answer": answer})
        for piece in pieces:
            data = memoryview(piece).cast("B")
            messages.send(connection, {"bytes": len(data)})
            connection.sendall(data)
    except RefusedFileError as error:
        messages.send(connection, {"refused": str(error)})
    except MemoryError:
        reason = f"needs more than {limits.memory_bytes:,} bytes of memory to parse"
        messages.send(connection, {"refused": reason})


def _take_limits() -> int:
    """Give up what no file needs; returns the address space that is held already."""
    held = 0
    if sys.platform == "linux":
        with open("/proc/self/statm", "rb") as statm:
            held = int(statm.read().split()[0]) * resource.getpagesize()
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NPROC, 0)
    next_descriptor = os.dup(0)
    os.close(next_descriptor)
    _limit(resource.RLIMIT_NOFILE, next_descriptor + 1)
    return held


def _limit(what: int, most: int) -> None:
    resource.setrlimit(what, (most, most))


def _limit_question(limits: Limits, most_memory: int) -> None:
    """Allow what one file needs, and have the kernel end what nobody waits for."""
    resource.setrlimit(resource.RLIMIT_AS, (most_memory, resource.RLIM_INFINITY))
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + limits.seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
