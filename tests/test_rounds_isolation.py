"""The side that asks a child: what a file makes of the child must not stop the command."""

import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ariba_cli.errors import RefusedFileError
from ariba_cli.rounds.isolation.parent import Child
from ariba_cli.rounds.limits import Limits
from ariba_cli.rounds.opening import open_file


def test_an_answer_that_trickles_in_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(bytes(8))
    child = Child("hdf5", Limits(seconds=0.4))
    ours, theirs = socket.socketpair()
    process = SimpleNamespace(returncode=0)
    vars(child)["_running"] = SimpleNamespace(connection=ours, process=process, end=ours.close)

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
        open_file(tmp_path / "m", Limits()) as file,
        pytest.raises(RefusedFileError, match="took longer"),
    ):
        child.ask(file, "tensors", group="/")
    assert time.monotonic() - start < 2
    thread.join()
