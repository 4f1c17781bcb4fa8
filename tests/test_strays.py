"""Files among updates that are not updates: one line for all, and models of several rounds."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ariba_cli.base.errors import InputError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.rounds.directory import open_round
from tests.conftest import FIXTURES, Ariba
from tests.models import random_model, write_flat_round, write_model

APPLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(4000)

FILES = {
    "._p0.safetensors": APPLE,
    ".DS_Store": b"\x00\x00\x00\x01Bud1" + bytes(6000),
    "Thumbs.db": b"\xd0\xcf\x11\xe0" + bytes(100),
    "desktop.ini": b"[.ShellClassInfo]\r\n",
    ".gitkeep": b"",
    ".p0.safetensors.swp": b"b0VIM 9.0",
    "README.md": b"# round\n",
    "LICENSE": b"text",
    "metrics.csv": b"round,acc\n1,0.9\n",
    "config.json": b'{"lr": 0.1}',
    "server.log": b"ok\n",
    "server.log.1": b"ok\n",
    "events.out.tfevents.1700000000.host": bytes(100),
    "notes.txt~": b"text",
    "args.json": b'{"args":{"lr":0.1,"epochs":[1,2,3]}}',
    "accuracy.html": b"<html>",
    "Shortcut.lnk": b"L\x00\x00\x00",
    "FOUND.000": b"text",
}
FOLDERS = ("__MACOSX", ".ipynb_checkpoints", "lost+found", "client_9", "wandb", "logs", "#recycle")


def findings(root: Path, kind: FindingKind) -> list[Finding]:
    return [finding for finding in open_round(root).findings if finding.kind == kind]


def put(root: Path) -> None:
    for name, data in FILES.items():
        (root / name).write_bytes(data)
    for name in FOLDERS:
        (root / name).mkdir()
    (root / "__MACOSX" / "._p1.safetensors").write_bytes(APPLE)
    (root / "wandb" / "debug").write_bytes(b"text")


@pytest.mark.parametrize("inside", ["", "participants"])
def test_litter_is_one_line_and_nobody(tmp_path: Path, inside: str) -> None:
    root = write_flat_round(tmp_path / inside, 6)
    put(root)
    assert [one.id for one in open_round(tmp_path).participants] == [f"p{i}" for i in range(6)]
    (found,) = findings(tmp_path, FindingKind.NO_UPDATES)
    assert found.facts == {"entries": len(FILES) + len(FOLDERS)}
    assert f"and {len(FILES) + len(FOLDERS) - 5} more are not updates" in found.detail


def test_the_audit_says_it_in_one_line(tmp_path: Path, ariba: Ariba) -> None:
    root = write_flat_round(tmp_path / "round", 6)
    put(root)
    done = ariba("audit", root, "--fail-on", "refused")
    assert done.returncode == 0
    assert done.stdout.count(b"no-updates: ") == 1
    assert b"refused: " not in done.stdout


def test_litter_in_the_folder_of_a_participant_hides_no_model(tmp_path: Path) -> None:
    for index in range(3):
        write_model(tmp_path / f"p{index}" / "model.safetensors", random_model(index))
        (tmp_path / f"p{index}" / ".DS_Store").write_bytes(b"\x00")
        (tmp_path / f"p{index}" / "._model.safetensors").write_bytes(APPLE)
        (tmp_path / f"p{index}" / "._model.safetensors.index.json").write_bytes(APPLE)
    found = open_round(tmp_path)
    assert len(found.participants) == 3
    assert all(
        found.open(member).tensors.keys() == random_model(0).keys() for member in found.participants
    )


@pytest.mark.parametrize("name", ["README.md", ".hidden", "server.log", "Thumbs.db", "a.tmp"])
def test_a_model_under_a_name_of_litter_is_a_participant(tmp_path: Path, name: str) -> None:
    write_flat_round(tmp_path, 3)
    write_model(tmp_path / name, random_model(9))
    assert len(open_round(tmp_path).participants) == 4
    # So is a pickle, which is refused later, and a folder with a model in it.
    (tmp_path / name).write_bytes(b"\x80\x02}q\x00.")
    assert len(open_round(tmp_path).participants) == 4
    (tmp_path / name).unlink()
    write_model(tmp_path / name / "w.safetensors", random_model(9))
    assert len(open_round(tmp_path).participants) == 4


@pytest.mark.parametrize("name", [".hidden", "p9.bak", "wandb"])
@pytest.mark.parametrize("inside", ["checkpoint-3/model.safetensors", "a/adapter_config.json"])
def test_a_model_deeper_in_a_folder_of_litter_is_a_participant(
    tmp_path: Path, name: str, inside: str
) -> None:
    write_flat_round(tmp_path, 3)
    write_model(tmp_path / name / inside, random_model(9))
    assert len(open_round(tmp_path).participants) == 4


def test_a_folder_in_a_folder_of_litter_that_cannot_be_listed_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_flat_round(tmp_path, 3)
    (tmp_path / "wandb" / "run").mkdir(parents=True)
    scandir = os.scandir

    def denied(path: Any) -> Any:
        if os.fspath(path).endswith("run"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    assert len(open_round(tmp_path).participants) == 3


def test_what_may_be_a_damaged_update_is_no_litter(tmp_path: Path, ariba: Ariba) -> None:
    root = write_flat_round(tmp_path / "round", 6)
    for name in ("p7.safetensors", "p8.npz", "p9.pt", "weights"):
        (root / name).write_bytes(bytes(99))
    (root / "p6").mkdir()
    (root / "p6" / "README.md").write_bytes(b"text")
    assert not findings(root, FindingKind.NO_UPDATES)
    assert ariba("audit", root).stdout.count(b"refused: ") == 5


def test_a_link_called_as_litter_is_not_followed(tmp_path: Path) -> None:
    root = write_flat_round(tmp_path / "round", 3)
    os.symlink(FIXTURES / "attacked" / "global.safetensors", root / "README.md")
    os.mkfifo(root / "x.log")
    (found,) = findings(root, FindingKind.NO_UPDATES)
    assert found.detail == "README.md, x.log are not updates: skipped"


def test_a_folder_of_litter_alone_holds_no_updates(tmp_path: Path) -> None:
    put(tmp_path)
    with pytest.raises(InputError, match=r"holds no updates \(.* skipped\); a round has"):
        open_round(tmp_path)


@pytest.mark.parametrize(
    ("names", "rounds"),
    [
        ([f"round-{i}-weights" for i in range(1, 6)], 5),
        ([f"FL_global_model_{i}" for i in range(3)], 3),
        ([f"epoch{i:03}" for i in range(3)], 3),
        ([f"model_ckpt_{i}0" for i in range(4)], 4),
        ([f"server_weights_{i}" for i in range(4)], 4),
        ([f"round_{r}_client_{c}" for r in (1, 2) for c in range(3)], 2),
        ([f"round_3_client_{c}" for c in range(5)], 0),
        ([f"client_{c}_round_3" for c in range(5)], 0),
        ([f"client_{c}" for c in range(5)], 0),
        ([f"server-{c}" for c in range(5)], 0),
        (["round_1", "a", "b", "c", "round_2"], 0),
    ],
)
def test_models_of_several_rounds_are_told_by_their_names(
    tmp_path: Path, names: list[str], rounds: int
) -> None:
    for seed, name in enumerate(names):
        write_model(tmp_path / f"{name}.safetensors", random_model(seed))
    found = findings(tmp_path, FindingKind.SEVERAL_ROUNDS)
    assert [one.facts for one in found] == ([{"rounds": rounds}] if rounds else [])
