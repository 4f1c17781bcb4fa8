"""A file is written whole or not at all, and what a killed run has left goes with the next."""

import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ariba_cli.base.errors import OutputError
from ariba_cli.files.atomic import write_atomically
from tests.conftest import FIXTURES, environment

KILLED = """
import os, signal, sys
from pathlib import Path
from ariba_cli.files.atomic import write_atomically

def pieces():
    yield b"half"
    os.kill(os.getpid(), signal.SIGKILL)

write_atomically(Path(sys.argv[1]), pieces())
"""


def temporaries(folder: Path) -> list[Path]:
    return list(folder.rglob(".*.tmp"))


def killed_while_writing(path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(path)]
    assert subprocess.run(command, env=environment()).returncode == -signal.SIGKILL
    assert len(temporaries(path.parent)) == 1
    assert not path.exists()


def test_what_a_killed_run_has_left_goes_with_the_next(tmp_path: Path) -> None:
    path = tmp_path / "global.safetensors"
    killed_while_writing(path)
    write_atomically(path, [b"whole"])
    assert path.read_bytes() == b"whole"
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_two_who_write_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "report.json"

    def pieces() -> "list[bytes]":
        write_atomically(path, [b"inner"])
        assert path.read_bytes() == b"inner"
        return [b"outer"]

    write_atomically(path, (piece for first in [0] for piece in pieces()))
    assert path.read_bytes() == b"outer"
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_has_the_name_of_the_temporary_file_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "out" / "report.json"
    path.parent.mkdir()
    killed_while_writing(path)
    (left,) = temporaries(path.parent)
    left.unlink()
    victim = tmp_path / "victim"
    victim.write_text("mine")
    if kind == "link":
        left.symlink_to(victim)
    elif kind == "pipe":
        os.mkfifo(left)
    else:
        left.mkdir()
    write_atomically(path, [b"whole"])
    assert path.read_bytes() == b"whole"
    assert victim.read_text() == "mine"
    assert left.is_symlink() == (kind == "link")
    assert left.is_dir() == (kind == "folder")


def test_a_file_system_without_locks_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(38, "no locks")

    path = tmp_path / "report.json"
    killed_while_writing(path)
    monkeypatch.setattr(fcntl, "flock", no_locks)
    for content in (b"first", b"second"):
        write_atomically(path, [content])
        assert path.read_bytes() == content
    # It cannot be told whether another run is at work on it.
    assert len(temporaries(tmp_path)) == 1


def test_no_room_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(b"old")

    def pieces() -> "list[bytes]":
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        write_atomically(path, (piece for first in [0] for piece in pieces()))
    assert path.read_bytes() == b"old"
    assert not temporaries(tmp_path)


COMMANDS = {
    "aggregate": ["aggregate", FIXTURES / "attacked", "--out", "out/global.safetensors"],
    "convert": ["convert", FIXTURES / "attacked", "--out", "out/round", "--resume"],
    "audit": [
        "audit",
        FIXTURES / "attacked",
        "-f",
        "json",
        "-o",
        "out/r.json",
        "--html",
        "out/r.html",
    ],
    "attack": ["attack", FIXTURES / "clean", "--epochs", "2", "--out", "out/round", "--resume"],
}


@pytest.mark.parametrize(
    "name", [*list(COMMANDS)[:-1], pytest.param("attack", marks=pytest.mark.slow)]
)
def test_a_command_that_was_killed_anywhere_is_done_by_the_next(tmp_path: Path, name: str) -> None:
    """ARIBA_KILLS says at how many points."""
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-m", "ariba_cli", *map(str, COMMANDS[name])]

    def start() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment(SOURCE_DATE_EPOCH="0"),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )

    def contents() -> dict[str, bytes]:
        files = (path for path in (tmp_path / "out").rglob("*") if path.is_file())
        return {str(path.relative_to(tmp_path)): path.read_bytes() for path in files}

    def clear() -> None:
        for path in sorted((tmp_path / "out").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()

    begun = time.monotonic()
    _, error = start().communicate()
    seconds = time.monotonic() - begun
    expected = contents()
    assert expected, error
    rng = random.Random(name)
    for _ in range(int(os.environ.get("ARIBA_KILLS", "3"))):
        clear()
        process = start()
        time.sleep(rng.uniform(0.3, 1.0) * seconds)
        process.kill()
        process.communicate()
        if set(contents()) != set(expected):
            _, error = start().communicate()
        assert contents() == expected, error
