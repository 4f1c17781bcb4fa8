"""Commands in processes of their own, which need not import everything anew.

They are forked from one that has imported it already, so that a test of a message does not take
as long as an import of PyTorch. What does depend on a fresh interpreter, as what a command
imports and a report says of it, what a shell does, or signals, is tested on `python -m ariba_cli`.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
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


def run_command(
    arguments: list[str], folder: Path, variables: dict[str, str]
) -> "subprocess.CompletedProcess[bytes]":
    """Run `ariba` in a folder with these variables alone; its stdin is empty."""
    with tempfile.TemporaryDirectory() as streams:
        out, error = Path(streams, "out"), Path(streams, "error")
        process = _CONTEXT.Process(
            target=_become, args=(arguments, os.fspath(folder), variables, out, error)
        )
        process.start()
        process.join()
        code = process.exitcode
        process.close()
        assert code is not None
        return subprocess.CompletedProcess(arguments, code, out.read_bytes(), error.read_bytes())


def _become(
    arguments: list[str], folder: str, variables: dict[str, str], out: Path, error: Path
) -> None:
    """Be that command, and end as it does."""
    os.environ.clear()
    os.environ.update(variables)
    for number, path in enumerate((Path(os.devnull), out, error)):
        opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    encoding = variables.get("PYTHONIOENCODING", "utf-8")
    sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding=encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.chdir(folder)
    sys.argv = ["ariba", *arguments]
    sys.exit(main())
