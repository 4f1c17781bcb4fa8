"""A write that fails leaves the old state or the new one."""

import errno
import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from ariba_cli.base.errors import OutputError
from ariba_cli.files import partial as partial_module
from ariba_cli.files.atomic import write_atomically
from ariba_cli.rounds.contents import TRUTH_NAME
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.inspection import inspect_round
from ariba_cli.rounds.truth import Truth, read_truth
from ariba_cli.rounds.writing import RoundWriter, new_directory
from tests.conftest import environment
from tests.models import random_model


def write_round(path: Path) -> None:
    with new_directory(path) as partial:
        writer = RoundWriter(partial, format_name="safetensors")
        writer.write_global(random_model(0))
        for index in range(3):
            writer.write_participant(f"p{index}", random_model(index))
        writer.write(TRUTH_NAME, [Truth(("p1",)).encode()])
        writer.seal(round_number=7, kind="weights", layers=list(random_model(0)))


def test_a_round_is_written_and_its_seal_holds(tmp_path: Path) -> None:
    write_round(tmp_path / "a" / "round_0007")
    found = inspect_round(open_round(tmp_path / "a" / "round_0007"))
    assert (found.seal, found.round, found.findings) == ("intact", 7, ())
    assert [layer.name for layer in found.layers] == list(random_model(0))
    assert read_truth(tmp_path / "a" / "round_0007").compromised == ("p1",)
    assert os.listdir(tmp_path / "a") == ["round_0007"]


def test_files_have_the_mode_that_the_umask_allows(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", [b"data"])
    finally:
        os.umask(old)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_nothing_is_left_of_a_directory_that_failed(tmp_path: Path) -> None:
    def fail() -> None:
        with new_directory(tmp_path / "new") as partial:
            write_atomically(partial / "file", [b"data"])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert os.listdir(tmp_path) == []


def test_a_signal_between_making_and_locking_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = partial_module._make

    def make_and_be_stopped(directory: Path) -> bool:
        made = make(directory)
        os.kill(os.getpid(), signal.SIGTERM)
        return made

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(partial_module, "_make", make_and_be_stopped)
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            write_round(tmp_path / "round_0007")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert os.listdir(tmp_path) == []


def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(OutputError, match="exists"), new_directory(tmp_path / "taken"):
        pass
    assert os.listdir(tmp_path) == ["taken"]


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_atomically(tmp_path / "folder", [b"data"])
    with pytest.raises(OutputError, match="cannot be written"):
        write_atomically(tmp_path / "nowhere" / "file", [b"data"])
    assert os.listdir(tmp_path) == ["folder"]


HOLDER = """
import sys, time
from pathlib import Path
from ariba_cli.rounds.writing import new_directory, write_atomically
with new_directory(Path(sys.argv[1])) as partial:
    write_atomically(partial / "manifest.json", [b"data"])
    print(flush=True)
    time.sleep(600)
"""


@pytest.fixture
def other_run(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process, which is writing the directory `new` and does not come to an end."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path / "new"], env=environment(), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


@pytest.mark.parametrize("resume", [False, True])
def test_what_another_run_is_writing_is_left_alone(
    tmp_path: Path, other_run: "subprocess.Popen[bytes]", resume: bool
) -> None:
    assert other_run.poll() is None
    expected = r"new\.partial' is being written by another run; wait for it, or name another"
    with (
        pytest.raises(OutputError, match=expected),
        new_directory(tmp_path / "new", resume=resume),
    ):
        pass
    assert os.listdir(tmp_path / "new.partial") == ["manifest.json"]


def test_what_a_killed_run_left_is_known_and_replaced_only_on_request(
    tmp_path: Path, other_run: "subprocess.Popen[bytes]"
) -> None:
    other_run.kill()
    other_run.wait()
    expected = r"new\.partial' was left by a run that was stopped; finish it with --resume, or"
    with pytest.raises(OutputError, match=expected), new_directory(tmp_path / "new"):
        pass
    assert os.listdir(tmp_path / "new.partial") == ["manifest.json"]
    with new_directory(tmp_path / "new", resume=True) as partial:
        assert os.listdir(partial) == []
        write_atomically(partial / "file", [b"data"])
    assert os.listdir(tmp_path) == ["new"]
    assert os.listdir(tmp_path / "new") == ["file"]


@pytest.mark.parametrize(
    "stranger",
    ["notes.txt", "participants/p1.pt", "folder/", "participants/p0/notes.txt", "global.h5?"],
)
def test_what_no_run_can_have_left_is_never_removed(tmp_path: Path, stranger: str) -> None:
    partial = tmp_path / "new.partial"
    (partial / "participants").mkdir(parents=True)
    (partial / "manifest.json").touch()
    if stranger.endswith("/"):
        (partial / stranger).mkdir()
    elif stranger.endswith("?"):
        (partial / stranger[:-1]).symlink_to(tmp_path)
    else:
        (partial / stranger).parent.mkdir(exist_ok=True)
        (partial / stranger).touch()
    before = sorted(partial.rglob("*"))
    with (
        pytest.raises(
            OutputError, match=f"ariba did not write '.*{re.escape(stranger.rstrip('/?'))}'"
        ),
        new_directory(tmp_path / "new", resume=True),
    ):
        pass
    assert sorted(partial.rglob("*")) == before


@pytest.mark.parametrize("resume", [False, True])
def test_a_file_or_link_in_the_way_is_no_directory_to_fill(tmp_path: Path, resume: bool) -> None:
    (tmp_path / "file.partial").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.partial").symlink_to(tmp_path / "elsewhere")
    before = sorted(os.listdir(tmp_path))
    for name in ("file", "link"):
        with (
            pytest.raises(OutputError, match=rf"{name}\.partial' is in the way"),
            new_directory(tmp_path / name, resume=resume),
        ):
            pass
    assert sorted(os.listdir(tmp_path)) == before


def test_an_empty_leftover_is_one_too(tmp_path: Path) -> None:
    (tmp_path / "new.partial").mkdir()
    with pytest.raises(OutputError, match="left by a run"), new_directory(tmp_path / "new"):
        pass
    assert os.listdir(tmp_path) == ["new.partial"]


def test_a_run_that_finishes_while_it_is_looked_at_keeps_what_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new.partial").mkdir()
    (tmp_path / "new.partial" / "file").touch()
    lock = fcntl.flock

    def lock_late(descriptor: int, operation: int) -> None:
        os.rename(tmp_path / "new.partial", tmp_path / "new")
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    with (
        pytest.raises(OutputError, match="by another run"),
        new_directory(tmp_path / "new", resume=True),
    ):
        pass
    assert os.listdir(tmp_path) == ["new"]
    assert os.listdir(tmp_path / "new") == ["file"]


def test_a_run_that_finishes_before_the_next_one_begins_keeps_what_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = os.mkdir

    def make_late(path: os.PathLike[str], mode: int = 0o777) -> None:
        if path == tmp_path / "new.partial":
            make(tmp_path / "new")
        make(path, mode)

    monkeypatch.setattr(os, "mkdir", make_late)
    with pytest.raises(OutputError, match="new' exists"), new_directory(tmp_path / "new"):
        pass
    assert os.listdir(tmp_path) == ["new"]


def test_a_run_that_has_just_made_its_directory_gets_the_lock(tmp_path: Path) -> None:
    partial = tmp_path / "new.partial"
    partial.mkdir()
    descriptor = os.open(partial, os.O_RDONLY)
    soon = threading.Timer(0.02, fcntl.flock, (descriptor, fcntl.LOCK_EX))
    soon.start()
    try:
        with pytest.raises(OutputError, match="by another run"), new_directory(tmp_path / "new"):
            pass
        soon.join()
    finally:
        os.close(descriptor)


def test_of_many_runs_that_start_at_once_one_writes(tmp_path: Path) -> None:
    start = threading.Barrier(8)
    ends: list[str] = []

    def run(attempt: int, resume: bool) -> None:
        start.wait()
        try:
            with new_directory(tmp_path / f"new{attempt}", resume=resume) as partial:
                (partial / "participants").mkdir()
                time.sleep(0.01)
            ends.append("written")
        except OutputError as error:
            ends.append(re.sub(".*(by another|exists).*", r"\1", str(error)))

    for attempt in range(10):
        ends.clear()
        runs = [threading.Thread(target=run, args=(attempt, n % 2 == 0)) for n in range(8)]
        for one in runs:
            one.start()
        for one in runs:
            one.join()
        assert ends.count("written") == 1
        assert set(ends) <= {"written", "by another", "exists"}
    assert sorted(os.listdir(tmp_path)) == sorted(f"new{attempt}" for attempt in range(10))


def test_where_nothing_can_be_locked_new_directories_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    write_round(tmp_path / "new")
    (tmp_path / "other.partial").mkdir()
    with (
        pytest.raises(
            OutputError, match=r"ariba cannot tell which .No locks available.; remove it"
        ),
        new_directory(tmp_path / "other", resume=True),
    ):
        pass
    assert sorted(os.listdir(tmp_path)) == ["new", "other.partial"]
