"""What many tests need: the fixture rounds, and a way to run the command."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
FIXTURES = REPOSITORY / "fixtures"

Ariba = Callable[..., "subprocess.CompletedProcess[bytes]"]


def pytest_configure() -> None:
    """Let Ctrl-C be heard by what the tests start, though a shell has them in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def ariba(tmp_path: Path) -> Ariba:
    """Run the command as a process of its own, in the test's folder, with pipes."""

    def run(*arguments: object, **variables: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [sys.executable, "-m", "ariba_cli", *map(os.fspath, map(str, arguments))],
            cwd=tmp_path,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )

    return run


@pytest.fixture
def command_path(tmp_path: Path) -> str:
    """A PATH with the command of this environment."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "ariba"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ariba_cli "$@"\n')
    command.chmod(0o755)
    return f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"


def environment(**variables: str) -> dict[str, str]:
    """The environment of a command: this one's, without what would change its output."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ARIBA_") and name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")
    }
    return {**kept, "PYTHONPATH": str(REPOSITORY), **variables}


@pytest.fixture
def attacked(tmp_path: Path) -> Path:
    """A copy of the attacked fixture round, to be spoiled; p15 and p18 are compromised."""
    return Path(shutil.copytree(FIXTURES / "attacked", tmp_path / "attacked"))
