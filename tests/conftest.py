"""The fixture rounds that many tests need, and a way to run the command."""

import fcntl
import gc
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ariba_cli.federated.datasets import Dataset, load_dataset
from ariba_cli.federated.models import Weights
from ariba_cli.federated.training import Engine, Task
from ariba_cli.native.levels import AUTO, use
from tests.commands import command_for_shells, run_command

REPOSITORY = Path(__file__).parent.parent
FIXTURES = REPOSITORY / "fixtures"
# Real data sets, for slow tests.
DATA = Path(os.environ.get("ARIBA_DATA_DIR", "nowhere"))
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="ARIBA_DATA_DIR is no folder with mnist/, fashion-mnist/ and cifar10/"
)

Ariba = Callable[..., subprocess.CompletedProcess[bytes]]


def pytest_configure() -> None:
    """Let Ctrl-C be heard by what the tests start, though a shell has them in the background.

    The compiled kernels are those of ARIBA_NATIVE, as for commands.
    """
    use(os.environ.get("ARIBA_NATIVE", AUTO))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Let the collector of garbage pass over what is imported and collected by now."""
    gc.collect()
    gc.freeze()


@cache
def digits() -> Dataset:
    """Return the digits, read once for all tests, none of which may write into them."""
    return load_dataset("digits")


@pytest.fixture
def ariba(tmp_path: Path) -> Ariba:
    """Run the command in a process of its own, in the test's folder."""

    def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[bytes]:
        return run_command(list(map(str, arguments)), tmp_path, environment(**variables))

    return run


@pytest.fixture(scope="session")
def command_venv() -> Iterator[Path]:
    """A folder with the command of this environment under `bin`."""
    with command_for_shells() as folder:
        yield folder


@pytest.fixture(scope="session")
def command_path(command_venv: Path) -> str:
    """A PATH with that command."""
    return f"{command_venv / 'bin'}{os.pathsep}{os.environ['PATH']}"


@dataclass(frozen=True)
class Demo:
    """The files that `make demo` wrote, under `runs`, and the output of each of its commands."""

    runs: Path
    printed: dict[str, str]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, command_venv: Path) -> Demo:
    """The demo, made once for all tests, none of which may write into it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # The folder of all workers.
        folder = folder.parent
    made, transcript = folder / "demo", folder / "demo.txt"
    with (folder / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not transcript.exists():
            made.mkdir()
            makefile, complete = REPOSITORY / "Makefile", command_venv / ".complete"
            complete.touch()
            printed = subprocess.run(
                ["make", "-f", makefile, "-o", complete, "demo", f"VENV={command_venv}"],
                cwd=made,
                env=environment(MAKEFLAGS=""),
                stdout=subprocess.PIPE,
                check=True,
            )
            said = printed.stdout.decode().replace(f"{command_venv}/bin/", "$ ")
            transcript.write_text(said)
    _, *steps = re.split(r"^\$ ", transcript.read_text(), flags=re.MULTILINE)
    return Demo(made / "runs", {step.partition("\n")[0]: step.partition("\n")[2] for step in steps})


def environment(**variables: str) -> dict[str, str]:
    """The environment of a command: this one's, without what would change its output."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name == "ARIBA_NATIVE"
        or (not name.startswith("ARIBA_") and name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"))
    }
    return {**kept, "PYTHONPATH": str(REPOSITORY), **variables}


@pytest.fixture
def attacked(tmp_path: Path) -> Path:
    """A copy of the attacked fixture round, to be spoiled; p15 and p18 are compromised."""
    return Path(shutil.copytree(FIXTURES / "attacked", tmp_path / "attacked"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training that takes no time, and depends on its weights and its seed alone."""

    def train(
        _: Engine, weights: Weights, tasks: Sequence[Task], __: object = None
    ) -> list[Weights]:
        return [moved(weights, np.random.default_rng(task.seed)) for task in tasks]

    def moved(weights: Weights, draw: np.random.Generator) -> Weights:
        return {
            name: values * np.float32(0.9) + draw.standard_normal(values.shape, np.float32)
            for name, values in weights.items()
        }

    monkeypatch.setattr("ariba_cli.federated.federation.load_dataset", lambda *_: digits())
    monkeypatch.setattr(Engine, "train", train)
    # Nor does anything wait for a disk.
    monkeypatch.setattr(os, "fsync", lambda _: None)
