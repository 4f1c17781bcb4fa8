"""The clean process: it loads the library, and forks a child for each file, which it never reads.

    python -P -m ariba_cli.formats.isolation.nursery DESCRIPTOR LIBRARY

It is asked to `start` a child, with the child's end of a connection and the file that the child
is to parse, and to `end` it and say how it came to its end. There is one child at a time.
"""

import gc
import importlib
import os
import signal
import socket
import sys
from types import ModuleType

from ariba_cli.files.limits import Limits
from ariba_cli.formats.isolation import child, messages

_MOST_REQUEST_BYTES = 2**16
_FILES = 2


def main() -> None:
    """Answer until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    library = importlib.import_module(f"ariba_cli.formats.isolation.{sys.argv[2]}")
    # Nothing is left to be loaded, nor to be collected, when there are walls around a child.
    library.try_out()
    gc.freeze()
    # What the interpreter and the libraries had to know, they have read.
    os.environ.clear()
    with socket.socket(fileno=int(sys.argv[1])) as control:
        messages.send(control, {"answer": "ready"})
        last = None
        try:
            while True:
                last = _obey(control, library, last)
        except EOFError:
            if last is not None:
                os.kill(last, signal.SIGKILL)


def _obey(control: socket.socket, library: ModuleType, last: int | None) -> int | None:
    """End the last child, and start another where that is asked for; returns its number."""
    request, descriptors = messages.receive_with_files(control, _MOST_REQUEST_BYTES, _FILES)
    if last is not None:
        os.kill(last, signal.SIGKILL)
    started = None
    if request["question"] == "start":
        limits, seconds = Limits(**request["limits"]), request["seconds"]
        started = os.fork()
        if not started:
            child.serve(library, limits, seconds, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
    # Most often it is gone by now: that takes as long as to make one.
    status = 0 if last is None else os.waitpid(last, 0)[1]
    if request["question"] == "end":
        messages.send(control, {"answer": os.waitstatus_to_exitcode(status)})
    return started


if __name__ == "__main__":
    main()
