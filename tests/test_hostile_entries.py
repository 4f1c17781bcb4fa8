"""Entries of a round that are not regular files, or do not stay so."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import open_file
from ariba_cli.formats.model import ReadOptions
from ariba_cli.rounds.directory import is_one_model, open_round
from ariba_cli.rounds.inspection import inspect_round
from fixtures.hostile.weights import stored
from tests.models import random_model, write_flat_round, write_model

HOSTILE = "p9.safetensors"
LEFT, RIGHT = np.ones((2, 1)), np.ones((1, 2))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_flat_round(tmp_path / "round")


def reason(root: Path) -> str:
    """Why p9 is left out, of the audit and of `inspect`; the others are all ranked."""
    found = open_round(root)
    verdict = audit(found, AuditSettings(layers=("conv2",)))
    assert len(verdict.ranking) == 6
    for findings in (verdict.findings, inspect_round(found).findings):
        (finding,) = [one for one in findings if (one.participant or "").startswith("p9")]
        assert finding.kind == "refused"
    return finding.detail


def link(path: Path) -> None:
    path.symlink_to("p0.safetensors")


def link_out_of_the_round(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing")


def link_to_a_folder(path: Path) -> None:
    path.symlink_to("..")


def unix_socket(path: Path) -> None:
    # Its path must be short: it is bound where it will be.
    here = os.getcwd()
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path.name)
    os.chdir(here)


def device(path: Path) -> None:
    try:
        os.mknod(path, 0o20600, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (link, "is a link"),
        (link_out_of_the_round, "is a link"),
        (link_to_itself, "is a link"),
        (link_to_nothing, "is a link"),
        (link_to_a_folder, "is a link"),
        (os.mkfifo, "is not a regular file"),
        (device, "is not a regular file"),
        (unix_socket, "cannot be opened"),
    ],
)
def test_what_is_no_regular_file_is_refused(
    root: Path, make: Callable[[Path], None], why: str
) -> None:
    make(root / HOSTILE)
    assert why in reason(root)


@pytest.mark.parametrize("inside", ["model.safetensors", "model.safetensors.index.json"])
@pytest.mark.parametrize(("make", "why"), [(link, "is a link"), (os.mkfifo, "is not a regular")])
def test_nor_is_it_in_a_folder(
    root: Path, make: Callable[[Path], None], why: str, inside: str
) -> None:
    (root / "p9").mkdir()
    make(root / "p9" / inside)
    assert why in reason(root)


def test_a_folder_of_too_many_files_is_one_participant_left_out(root: Path) -> None:
    (root / "p9").mkdir()
    for index in range(1001):
        (root / "p9" / str(index)).touch()
    assert "holds more than 1,000 files" in reason(root)


def test_a_folder_that_cannot_be_listed_is_one_participant_left_out(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "p9").mkdir()
    scandir = os.scandir

    def locked(path: os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
        if os.fspath(path).endswith("p9"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    assert "cannot be listed: Permission denied" in reason(root)


def rewrite(path: Path) -> None:
    write_model(path, random_model(10))


def shrink(path: Path) -> None:
    os.truncate(path, 100)


def rewrite_and_set_the_clock_back(path: Path) -> None:
    before = path.stat()
    rewrite(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def become_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (rewrite, "changed while it was read"),
        (rewrite_and_set_the_clock_back, "changed while it was read"),
        (shrink, "changed while it was read"),
        (Path.unlink, "cannot be opened"),
        (become_a_pipe, "is not a regular file"),
    ],
)
def test_a_file_that_does_not_stay_what_it_was_is_left_out(
    root: Path, change: Callable[[Path], None], why: str
) -> None:
    """It is changed after its tensors were listed, and before they are read."""
    path = root / HOSTILE
    write_model(path, random_model(9))

    def progress(what: str, done: int, total: int) -> None:
        if what == "opening" and done == total:
            change(path)

    verdict = audit(open_round(root), AuditSettings(layers=("conv2",)), progress)
    (finding,) = [one for one in verdict.findings if one.participant == "p9"]
    assert finding.kind == "refused"
    assert why in finding.detail
    assert len(verdict.ranking) == 6


def test_a_file_that_shrinks_while_it_is_read_has_an_end(root: Path) -> None:
    def read() -> None:
        with open_file(root / "p0.safetensors", Limits()) as file:
            shrink(file.path)
            file.read(0, file.size)

    with pytest.raises(RefusedFileError, match="ends too early, at byte 100"):
        read()


def test_a_round_of_too_many_files_is_none(root: Path) -> None:
    with pytest.raises(InputError, match="holds more than 5 files; give one round"):
        open_round(root, ReadOptions(limits=Limits(files=5)))


@pytest.mark.parametrize("name", ["adapter_config.json", "p9.safetensors.index.json"])
@pytest.mark.parametrize("content", [b"{}", b"not json"])
def test_nobody_passes_a_round_off_as_a_model(root: Path, name: str, content: bytes) -> None:
    assert not is_one_model(root, ReadOptions())
    (root / name).write_bytes(content)
    assert not is_one_model(root, ReadOptions())
    (root / "adapter_model.safetensors").write_bytes(stored({"m.lora_A": RIGHT, "m.lora_B": LEFT}))
    assert not is_one_model(root, ReadOptions())


def test_a_round_of_many_files_is_no_model(tmp_path: Path) -> None:
    for index in range(1001):
        (tmp_path / str(index)).touch()
    assert not is_one_model(tmp_path, ReadOptions())


def test_a_model_in_shards_is_one(tmp_path: Path) -> None:
    for index in range(5):
        (tmp_path / f"{index}.safetensors").write_bytes(stored({f"w{index}": LEFT}))
    (tmp_path / "model.safetensors.index.json").write_text("broken")
    assert is_one_model(tmp_path, ReadOptions())
