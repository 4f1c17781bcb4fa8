"""The clean process: it loads the library and forks a child for each file, but reads no file.

    python -P -m ariba_cli.formats.isolation.nursery DESCRIPTOR LIBRARY

A request to `start` a child, perhaps in place of another, comes with the child's end of a
connection and with the file to parse. A request to `end` a child is answered by its exit status.
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
        children: dict[int, int] = {}
        try:
            while True:
                _obey(control, library, children)
        except EOFError:
            for process in children.values():
                os.kill(process, signal.SIGKILL)
            # Nobody else may: in a container the first process is seldom one that does.
            for process in children.values():
                os.waitpid(process, 0)


def _obey(control: socket.socket, library: ModuleType, children: dict[int, int]) -> None:
    """End a child, start one, or both.

    Parameters
    ----------
    control : socket
        The socket that the request comes from.
    library : module
        The library that a child parses with.
    children : dict of int to int
        The process ids of the children, by the numbers that they have been given.
    """
    request, descriptors = messages.receive_with_files(control, _MOST_REQUEST_BYTES, _FILES)
    ended = children.pop(request["end"], None)
    if ended is not None:
        os.kill(ended, signal.SIGKILL)
    if request["question"] == "start":
        limits, seconds = Limits(**request["limits"]), request["seconds"]
        started = os.fork()
        if not started:
            child.serve(library, limits, seconds, *descriptors)
        children[request["child"]] = started
        for descriptor in descriptors:
            os.close(descriptor)
    # Most often it is gone by now: that takes as long as to make one.
    status = 0 if ended is None else os.waitpid(ended, 0)[1]
    if request["question"] == "end":
        messages.send(control, {"answer": os.waitstatus_to_exitcode(status)})


if __name__ == "__main__":
    main()
