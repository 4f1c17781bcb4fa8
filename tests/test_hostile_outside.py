"""Whatever is in a round, nothing outside it is read, and nothing at all is run or written.

A process that audits, inspects and converts all hostile files is watched by an audit hook
of Python's; the kernel tells (inotify) when anybody, the child that parses included, as
much as opens one of the files that they point to.
"""

import ctypes
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest

from fixtures.hostile.hdf5_files import external_storage, hdf5, link, virtual
from fixtures.hostile.pickles import RAN
from tests.conftest import FIXTURES, environment
from tests.models import random_model, write_flat_round, write_model

# Runs commands, and prints what they have done that no command may do to its input.
WATCHER = """
import json, os, sys

commands, out = json.loads(sys.argv[1]), sys.argv[2]
seen = []
WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FORBIDDEN = ("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "os.fork",
             "os.remove", "os.link", "os.symlink", "os.chmod", "os.chown", "os.truncate",
             "socket.connect", "socket.bind")
WRITING = ("os.mkdir", "os.rename", "os.rmdir", "shutil.rmtree")

def is_out(path):
    # It is in the directory that may be written, or is one that this lies in.
    return str(path).startswith(out) or out.startswith(str(path))

def hook(event, arguments):
    if event == "open":
        path, _, flags = arguments
        written = isinstance(flags, int) and flags & WRITE
        if "canary" in str(path) or "passwd" in str(path):
            seen.append([event, str(path)])
        elif written and path != os.devnull and not isinstance(path, int) and not is_out(path):
            seen.append([event, str(path)])
    elif event in WRITING and not is_out(arguments[0]):
        seen.append([event, str(arguments[0])])
    elif event in FORBIDDEN:
        seen.append([event, repr(arguments)])
    elif event == "subprocess.Popen" and "ariba_cli.formats.isolation.nursery" not in arguments[1]:
        seen.append([event, repr(arguments)])

from ariba_cli.cli.app import main
sys.addaudithook(hook)
codes = []
for command in commands:
    sys.argv = ["ariba", *command]
    codes.append(main())
print(json.dumps({"seen": seen, "codes": codes}), file=sys.stderr)
"""

IN_ACCESS, IN_MODIFY, IN_OPEN = 0x1, 0x2, 0x20


class Watch:
    """The files of some folders that were opened, by inotify."""

    def __init__(self, *folders: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for folder in folders:
            watched = os.fsencode(folder), IN_ACCESS | IN_MODIFY | IN_OPEN
            assert libc.inotify_add_watch(self._descriptor, *watched) > 0

    def opened(self) -> set[str]:
        """Their names."""
        try:
            data = os.read(self._descriptor, 2**20)
        except BlockingIOError:
            return set()
        names, position = set(), 0
        while position < len(data):
            length = struct.unpack_from("iIII", data, position)[3]
            start = position + struct.calcsize("iIII")
            names.add(data[start : start + length].rstrip(b"\0").decode())
            position = start + length
        return names

    def close(self) -> None:
        os.close(self._descriptor)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """Honest participants, all hostile files, and more that point to canaries outside."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cwd").mkdir()
    for folder in ("", "cwd", "elsewhere"):
        write_model(tmp_path / folder / "canary", random_model(1), "hdf5")
    os.mkfifo(tmp_path / "cwd" / "fifo")
    root = write_flat_round(tmp_path / "round" / "participants", 5)
    shutil.copytree(FIXTURES / "hostile" / "files", root, dirs_exist_ok=True)
    canary = str(tmp_path / "elsewhere" / "canary")
    for name, make in {
        "storage": external_storage(canary),
        "storages": external_storage(canary, "fifo", "../canary", "canary"),
        "virtual": virtual(canary),
        "link": link(h5py.ExternalLink(canary, "/conv2.weight")),
    }.items():
        (root / f"absolute-{name}.h5").write_bytes(hdf5(make))
    index = {"weight_map": {"conv2.weight": canary, "a": "a.safetensors"}}
    (root / "sharded").mkdir()
    (root / "sharded" / "model.safetensors.index.json").write_text(json.dumps(index))
    (root / "sharded" / "a.safetensors").symlink_to(canary)
    (root / "linked.safetensors").symlink_to(canary)
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    size = os.path.getsize(canary)
    listed = {"path": "participants/linked/canary", "bytes": size, "sha256": "0" * 64}
    manifest = {"layout": 1, "round": 1, "kind": "weights", "layers": [], "files": [listed]}
    (root.parent / "manifest.json").write_text(json.dumps(manifest))
    return root.parent


@pytest.fixture
def watch(hostile: Path) -> Iterator[Watch]:
    if sys.platform != "linux":
        pytest.skip("inotify is Linux's")
    tmp_path = hostile.parent
    watch = Watch(tmp_path, tmp_path / "cwd", tmp_path / "elsewhere")
    yield watch
    watch.close()


def everything_in(folder: Path) -> dict[str, tuple[int, int]]:
    found = (path.lstat() for path in sorted(folder.rglob("*")))
    names = map(str, sorted(folder.rglob("*")))
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in zip(names, found, strict=True)}


def test_hostile_files_are_not_followed_run_or_written(hostile: Path, watch: Watch) -> None:
    tmp_path = hostile.parent
    before = everything_in(tmp_path)
    commands = [
        ["audit", str(hostile), "--layer", "conv2", "-f", "json", "--verify-seal"],
        ["inspect", str(hostile)],
        ["convert", str(hostile), "--out", str(tmp_path / "out")],
        *(["inspect", str(path)] for path in sorted(hostile.glob("*/absolute-*"))),
    ]
    done = subprocess.run(
        [sys.executable, "-c", WATCHER, json.dumps(commands), str(tmp_path / "out")],
        cwd=tmp_path / "cwd",
        env=environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        check=False,
        timeout=120,
    )
    found = json.loads(done.stderr.splitlines()[-1])
    assert found == {"seen": [], "codes": [0, 0, 0, 2, 2, 2, 2]}, done.stderr[-3000:]
    assert not watch.opened() & {"canary", "fifo"}
    shutil.rmtree(tmp_path / "out")
    assert everything_in(tmp_path) == before
    assert RAN not in os.listdir(tmp_path / "cwd")


def test_the_watch_sees_what_it_is_to_see(hostile: Path, watch: Watch) -> None:
    """With the library alone, the canary is opened, and its values come back."""
    assert "canary" not in watch.opened()
    with h5py.File(hostile / "participants" / "absolute-link.h5") as file:
        assert file["conv2.weight"].shape == (8, 4, 3, 3)
    assert "canary" in watch.opened()
