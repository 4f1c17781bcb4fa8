"""Commands in processes of their own, which need not import everything anew.

They are forked from one that has imported it already, so that a test of a message does not take
as long as an import of PyTorch. What does depend on a fresh interpreter, such as what a command
imports, or signals, is tested on `python -m ariba_cli`.
"""

import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path

from typer.main import get_command

from ariba_cli.cli.app import app, main

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "torch",
        "torch._dynamo",
        "sklearn.datasets",
        "h5py",
        "rich.console",
        # What commands import when they are asked for.
        *(f"ariba_cli.cli.{name}" for name in getattr(get_command(app), "commands", {})),
        "ariba_cli.aggregation.aggregate",
        "ariba_cli.api.auditing",
        "ariba_cli.auditing.audit",
        "ariba_cli.cli.auditing",
        "ariba_cli.detectors.panel",
        "ariba_cli.replay.suspects",
        "ariba_cli.reports.report",
        "ariba_cli.runs.evaluating",
        "ariba_cli.runs.forging",
        "ariba_cli.runs.simulation",
    ]
)


# What shells run in place of `ariba`: it gives its streams to a process that is forked for it.
_CLIENT = """\
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    asked = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)])
    socket.send_fds(server, [b" "], [0, 1, 2])
    server.sendall(asked.encode())
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(8)))
"""


def run_command(
    arguments: list[str],
    folder: Path,
    variables: dict[str, str],
    meanwhile: Callable[[int], object] = lambda _: None,
) -> "subprocess.CompletedProcess[bytes]":
    """Run `ariba` in a folder with these variables alone; its stdin is empty.

    `meanwhile` is called with the id of its process.
    """
    with tempfile.TemporaryDirectory() as streams:
        out, error = Path(streams, "out"), Path(streams, "error")
        process = _CONTEXT.Process(
            target=_become_alone, args=(arguments, os.fspath(folder), variables, out, error)
        )
        process.start()
        assert process.pid is not None
        meanwhile(process.pid)
        process.join()
        code = process.exitcode
        process.close()
        assert code is not None
        return subprocess.CompletedProcess(arguments, code, out.read_bytes(), error.read_bytes())


@contextmanager
def command_for_shells() -> Iterator[Path]:
    """Make a folder whose `bin/ariba` is such a command, for shells."""
    with tempfile.TemporaryDirectory() as made:
        folder, address = Path(made), f"{made}/socket"
        (folder / "client.py").write_text(_CLIENT)
        python = f'"{sys.executable}" -IS "{folder}/client.py"'
        command = folder / "bin" / "ariba"
        command.parent.mkdir()
        command.write_text(f'#!/bin/sh\nexec {python} "{address}" "$@"\n')
        command.chmod(0o755)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(address)
            listening.listen()
            server = _CONTEXT.Process(target=_serve, args=(listening,))
            server.start()
        try:
            yield folder
        finally:
            server.terminate()
            server.join()
            server.close()


def _serve(listening: socket.socket) -> None:
    """Fork a command whenever a shell asks for one, as long as there are tests."""
    tests = multiprocessing.parent_process()
    assert tests is not None
    while tests.sentinel not in wait([listening, tests.sentinel]):
        shell, _ = listening.accept()
        if os.fork() == 0:
            _answer(shell)
        shell.close()


def _answer(shell: socket.socket) -> None:
    """Run the command that a shell asks for, give it the exit code, and end."""
    _, streams, _, _ = socket.recv_fds(shell, 1, 3)
    with shell.makefile("rb") as asked:
        arguments, folder, variables = json.loads(asked.read())
    child = os.fork()
    if child == 0:
        shell.close()
        _become(arguments, folder, variables, streams)
    _, status = os.waitpid(child, 0)
    shell.sendall(str(os.waitstatus_to_exitcode(status) & 0xFF).encode())
    os._exit(0)


def _become_alone(
    arguments: list[str], folder: str, variables: dict[str, str], out: Path, error: Path
) -> None:
    """Be a command that writes into these files."""
    paths = (Path(os.devnull), out, error)
    streams = [os.open(path, os.O_RDWR | os.O_CREAT, 0o600) for path in paths]
    _become(arguments, folder, variables, streams)


def _become(
    arguments: list[str], folder: str, variables: dict[str, str], streams: list[int]
) -> None:
    """Be that command, and end as it does."""
    os.environ.clear()
    os.environ.update(variables)
    for number, opened in enumerate(streams):
        os.dup2(opened, number)
        os.close(opened)
    encoding = variables.get("PYTHONIOENCODING", "utf-8")
    sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding=encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.chdir(folder)
    sys.argv = ["ariba", *arguments]
    sys.exit(main())
