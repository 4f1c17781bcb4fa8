"""What is left is the old state or the new one."""

import os
from pathlib import Path

import pytest

from ariba_cli.errors import OutputError
from ariba_cli.inspection import inspect_round
from ariba_cli.rounds.contents import TRUTH_NAME
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.truth import Truth, read_truth
from ariba_cli.rounds.writing import RoundWriter, new_directory, write_atomically
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


def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(OutputError, match="exists"), new_directory(tmp_path / "taken"):
        pass
    (tmp_path / "new.partial").mkdir()
    with pytest.raises(OutputError, match="left by a run"), new_directory(tmp_path / "new"):
        pass
    assert sorted(os.listdir(tmp_path)) == ["new.partial", "taken"]


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_atomically(tmp_path / "folder", [b"data"])
    with pytest.raises(OutputError, match="cannot be written"):
        write_atomically(tmp_path / "nowhere" / "file", [b"data"])
    assert os.listdir(tmp_path) == ["folder"]
