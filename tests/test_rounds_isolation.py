"""The side that asks a child: what a file makes of the child must not stop the command."""

import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from ariba_cli.base.errors import RefusedFileError, ResourceError
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import open_file
from ariba_cli.formats import open_model
from ariba_cli.formats.isolation import parent
from ariba_cli.formats.isolation.parent import Isolation, Parser
from ariba_cli.formats.isolation.processes import Wire
from ariba_cli.formats.isolation.walls import Walls
from ariba_cli.formats.model import ReadOptions
from tests.conftest import environment
from tests.models import random_model, write_model


@pytest.fixture
def fake_parser(monkeypatch: pytest.MonkeyPatch) -> Callable[[socket.socket], Parser]:
    """One whose child is started already, and of which the test says what it sends."""

    def parser(connection: socket.socket) -> Parser:
        child = SimpleNamespace(number=1, connection=connection, walls=Walls())
        nursery = SimpleNamespace(start=lambda *_: child, end=lambda _: 0, close=connection.close)
        monkeypatch.setattr(parent, "Nursery", lambda _: nursery)
        return Isolation().hdf5

    return parser


def test_an_answer_that_trickles_in_is_not_waited_for(
    tmp_path: Path, fake_parser: Callable[[socket.socket], Parser]
) -> None:
    (tmp_path / "m").write_bytes(bytes(8))
    ours, theirs = socket.socketpair()

    def trickle() -> None:
        with theirs:
            for byte in (2**20).to_bytes(8, "little") + bytes(30):
                time.sleep(0.1)
                try:
                    theirs.send(bytes([byte]))
                except OSError:
                    return

    thread = threading.Thread(target=trickle)
    thread.start()
    start = time.monotonic()
    with (
        open_file(tmp_path / "m", Limits(seconds=0.4)) as file,
        pytest.raises(RefusedFileError, match="took longer"),
    ):
        fake_parser(ours).ask(file, "tensors", group="/")
    assert time.monotonic() - start < 2
    thread.join()


def test_a_list_longer_than_a_header_may_be_is_refused(tmp_path: Path) -> None:
    model = {f"{index:0100}": np.zeros(1, np.float32) for index in range(20)}
    write_model(tmp_path / "m.h5", model, "hdf5")
    assert len(open_model(tmp_path / "m.h5", ReadOptions(Limits(header_bytes=4000))).tensors) == 20
    with pytest.raises(RefusedFileError, match="a list of tensors of 2,"):
        open_model(tmp_path / "m.h5", ReadOptions(Limits(header_bytes=1000)))


def test_the_announced_size_of_an_answer_is_not_taken_on_trust(
    tmp_path: Path, fake_parser: Callable[[socket.socket], Parser]
) -> None:
    (tmp_path / "m").write_bytes(bytes(8))
    ours, theirs = socket.socketpair()
    with theirs, open_file(tmp_path / "m", Limits(header_bytes=1000)) as file:
        theirs.send((2**27).to_bytes(8, "little"))
        theirs.shutdown(socket.SHUT_WR)
        tracemalloc.start()
        with pytest.raises(RefusedFileError, match="send nonsense"):
            fake_parser(ours).ask(file, "tensors", group="/")
        assert tracemalloc.get_traced_memory()[1] < 2**24
        tracemalloc.stop()


def test_those_that_unpack_keep_their_processes_as_far_as_there_may_be_so_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each layer is read from all participants, round and round."""
    monkeypatch.setattr(parent, "_MOST_CHILDREN", 3)
    for index in range(5):
        with h5py.File(tmp_path / f"m{index}.h5", "w") as file:
            file.create_dataset("w", data=np.full(8, index, np.float32), compression=1)
    terms = ReadOptions()
    models = [open_model(tmp_path / f"m{index}.h5", terms) for index in range(5)]
    for _ in range(3):
        for index, model in enumerate(models):
            assert set(np.frombuffer(model.read("w"), np.float32)) == {index}
    parser = terms.isolation.hdf5
    assert len(parser._children) == 3
    assert parser._nursery is not None
    # To list, to unpack, and then twice those that are too many.
    assert parser._nursery._started == 5 + 5 + 3 + 3


def test_what_cannot_be_started_is_the_fault_of_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path / "m.h5", random_model(1), "hdf5")
    for program in ("/bin/false", "/nowhere"):
        monkeypatch.setattr(sys, "executable", program)
        with pytest.raises(ResourceError, match=r"cannot be started \(.*\); allow more memory"):
            open_model(tmp_path / "m.h5", ReadOptions())


@pytest.mark.parametrize("limit", ["-v 20000000", "-t 3600", "-n 20"])
def test_no_file_is_blamed_for_a_hard_limit_of_the_user(tmp_path: Path, limit: str) -> None:
    for index in range(6):
        with h5py.File(tmp_path / f"p{index}.h5", "w") as file:
            for name, values in random_model(index).items():
                file.create_dataset(name, data=values, compression=1)
    command = f'ulimit {limit}; exec "{sys.executable}" -m ariba_cli audit . -f json'
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment(), capture_output=True
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["result"]
    assert len(result["ranking"]) == 6
    assert "refused" not in {one["kind"] for one in result["findings"]}


def test_after_its_time_not_even_what_is_there_already_is_taken() -> None:
    """One byte after the other, without a pause, could else go on for as long as it likes."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(bytes(8))
        wire = Wire(ours, 0, 0.01)
        time.sleep(0.02)
        with pytest.raises(TimeoutError):
            wire.recv_into(memoryview(bytearray(1)))


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_no_process_is_left_when_those_that_unpack_are_ended(tmp_path: Path) -> None:
    for index in range(3):
        with h5py.File(tmp_path / f"m{index}.h5", "w") as file:
            file.create_dataset("w", data=np.full(8, index, np.float32), compression=1)
    terms = ReadOptions()
    for index in range(3):
        open_model(tmp_path / f"m{index}.h5", terms).read("w")
    parser = terms.isolation.hdf5
    assert parser._nursery is not None
    nursery = parser._nursery.process.pid
    listed = Path(f"/proc/{nursery}/task/{nursery}/children").read_text()
    processes = [Path("/proc", one) for one in listed.split()]
    assert len(processes) == 3
    parser._end()
    assert not [one for one in processes if one.exists()]


def test_too_few_files_for_a_connection_are_the_fault_of_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    write_model(tmp_path / "m.h5", random_model(1), "hdf5")
    monkeypatch.setattr(socket, "socketpair", none_left)
    with pytest.raises(ResourceError, match=r"cannot be started \(Too many open files\)"):
        open_model(tmp_path / "m.h5", ReadOptions())
