"""`ariba watch`: each round of a running federation as it is sealed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import jsonschema
import pytest

from ariba_cli.base.errors import InputError
from ariba_cli.rounds.arriving import ArrivingRounds
from tests.conftest import FIXTURES, Ariba, environment
from tests.made_runs import ATTACKERS, write_round, write_run
from tests.test_reports_json import schema


@contextmanager
def watching(*arguments: object, cwd: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The command, which is ended by Ctrl-C if it has not ended before."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ariba_cli", "watch", *map(str, arguments), "--interval", "0.1"],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def output(process: "subprocess.Popen[bytes]") -> IO[bytes]:
    assert process.stdout is not None
    return process.stdout


def test_rounds_are_told_once_when_they_are_sealed(tmp_path: Path) -> None:
    arriving = ArrivingRounds(tmp_path / "run")
    assert arriving.new() == []
    run = write_run(tmp_path / "run", 3)
    (run / "round_0003").rename(run / "round_0003.partial")
    assert [path.name for path in arriving.new()] == ["round_0001", "round_0002"]
    assert arriving.new() == []
    (run / "round_0003.partial").rename(run / "round_0003")
    assert [path.name for path in arriving.new()] == ["round_0003"]
    # A server that is started again writes the same round anew.
    kept = shutil.copytree(run / "round_0003", tmp_path / "kept")
    shutil.rmtree(run)
    assert arriving.new() == []
    shutil.copytree(kept, run / "round_0003")
    os.utime(run / "round_0003" / "manifest.json", ns=(1, 1))
    assert [path.name for path in arriving.new()] == ["round_0003"]
    with pytest.raises(InputError, match="is a single round"):
        ArrivingRounds(FIXTURES / "attacked").new()


def test_each_round_is_a_line_as_soon_as_it_is_sealed_until_ctrl_c(tmp_path: Path) -> None:
    write_run(tmp_path / "run", 2)
    with watching("run", "-f", "json", "--reproducible", cwd=tmp_path) as process:
        for number in (1, 2, 3):
            if number > 2:
                write_round(tmp_path / "run", number, ATTACKERS)
            found = json.loads(output(process).readline())
            jsonschema.validate(found, schema("audit"))
            assert found["run"]["round"] == f"run/round_{number:04d}"
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
        assert (process.returncode, rest, errors) == (130, b"", b"interrupted\n")


def test_it_ends_when_a_condition_holds(tmp_path: Path, ariba: Ariba) -> None:
    write_run(tmp_path / "run", 4)
    done = ariba("watch", "run", "--fail-on", "flagged")
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stdout.decode().splitlines()] == [
        f"run/round_{number:04d}" for number in (1, 2, 3)
    ]
    assert done.stderr == b"run/round_0003: condition holds: flagged\n"


def test_all_rounds_together_are_said_when_they_name_others_and_the_hook_is_run(
    tmp_path: Path,
) -> None:
    run = write_run(tmp_path / "run", 5)
    (run / "round_0002" / "participants").rename(tmp_path / "away")
    hook = 'echo "$ARIBA_CONDITIONS at $ARIBA_ROUND" >> said; cat >> hooked; echo heard; exit 3'
    options = ("-f", "json", "--fail-on", "flagged", "--exec", hook)
    with watching("run", *options, cwd=tmp_path) as process:
        lines = [json.loads(output(process).readline()) for _ in range(4)]
        assert [one["run"]["round"][-1] for one in lines] == ["1", "3", "4", "5"]
        together = json.loads(output(process).readline())
        jsonschema.validate(together, schema("history"))
        history = together["result"]["history"]
        assert {one["id"] for one in history["ranking"] if one["flagged"]} == set(ATTACKERS)
        assert [one["kind"] for one in history["findings"]] == ["rounds-missing"]
        deadline = time.monotonic() + 60
        while not (tmp_path / "said").exists() or len(_said(tmp_path)) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert b"error: run/round_0002: " in errors
    assert b"all rounds together: condition holds: flagged" in errors
    assert errors.count(b"heard\n") == 4
    assert b"--exec ended with 3" in errors
    assert _said(tmp_path) == [f"flagged at run/round_{n:04d}" for n in (3, 4, 5, 5)]
    hooked = [json.loads(line) for line in (tmp_path / "hooked").read_bytes().splitlines()]
    assert hooked == [*lines[1:], together]


def _said(folder: Path) -> list[str]:
    return (folder / "said").read_text().splitlines()
