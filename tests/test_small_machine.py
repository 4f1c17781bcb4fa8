"""A full file system is an error that leaves everything as it was, and 1 GiB will do for 1,000."""

import functools
import json
import os
import resource
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import FIXTURES, environment
from tests.models import write_model

ATTACKED = FIXTURES / "attacked"
# Without bytecode, which Python would cut off where files may not grow, and take for whole later.
ARIBA = [sys.executable, "-B", "-m", "ariba_cli"]
COMMANDS: dict[str, list[object]] = {
    "aggregate": ["aggregate", ATTACKED, "--out", "out/new.safetensors"],
    "convert": ["convert", ATTACKED, "--out", "out/new"],
    "report": ["audit", ATTACKED, "-f", "json", "--evidence", "-o", "out/old"],
    "page": ["audit", ATTACKED, "--html", "out/old"],
    "attack": ["attack", FIXTURES / "clean", "--epochs", "1", "--out", "out/new"],
}
# Less than any of them writes, and more than what was there.
ROOM = 2**14
OLD = b"old"


def limited(kind: int, most: int) -> None:
    resource.setrlimit(kind, (most, most))


def run(
    folder: Path, words: list[object], prepare: Callable[[], None] | None = None
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [*map(str, words)],
        cwd=folder,
        env=environment(SOURCE_DATE_EPOCH="0"),
        capture_output=True,
        check=False,
        preexec_fn=prepare,
        timeout=300,
    )


def assert_one_line(done: "subprocess.CompletedProcess[bytes]") -> None:
    assert (done.returncode, done.stdout) == (2, b""), done.stderr
    assert done.stderr.startswith(b"error: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_that_may_not_grow_is_an_error_of_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_bytes(OLD)
    limit = functools.partial(limited, resource.RLIMIT_FSIZE, ROOM)
    done = run(tmp_path, [*ARIBA, *COMMANDS[name]], limit)
    assert_one_line(done)
    assert b"File too large" in done.stderr
    assert (tmp_path / "out" / "old").read_bytes() == OLD
    assert os.listdir(tmp_path / "out") == ["old"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_system_that_is_full_is_left_as_it_was(tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    # A file system of its own, that ends with the process: it takes a namespace to mount one.
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size={ROOM} none out"
    if run(tmp_path, [*inside, mount]).returncode != 0:
        pytest.skip("no file system can be mounted here")
    command = shlex.join(map(str, [*ARIBA, *COMMANDS[name]]))
    script = f"{mount} && printf old > out/old && {{ {command}; echo $?; cat out/*; ls -A out; }}"
    done = run(tmp_path, [*inside, script])
    assert done.stdout == b"2\nold" + b"old\n", done.stderr
    assert done.stderr.startswith(b"error: ")
    assert done.stderr.count(b"\n") == 1
    assert b"room" in done.stderr or b"No space left" in done.stderr


def write_many(root: Path, participants: int, linear: tuple[int, int]) -> None:
    """Write a round of small updates; the first three are far longer."""
    rng = np.random.default_rng(0)
    shapes = {"conv1.weight": (8, 1, 3, 3), "conv2.weight": (16, 8, 3, 3), "fc.weight": linear}
    start = {name: rng.standard_normal(shape) for name, shape in shapes.items()}

    def write(name: str, scale: float) -> None:
        model = {
            name: (values + scale * rng.standard_normal(values.shape)).astype(np.float32)
            for name, values in start.items()
        }
        write_model(root / name, model)

    write("global.safetensors", 0.0)
    for index in range(participants):
        write(f"participants/p{index:05d}.safetensors", 0.2 if index < 3 else 0.01)


FIRST = {"p00000", "p00001", "p00002"}
in_a_gibibyte = functools.partial(limited, resource.RLIMIT_AS, 2**30)


@pytest.mark.slow
def test_a_thousand_participants_take_less_than_a_gibibyte(tmp_path: Path) -> None:
    write_many(tmp_path / "round", 1_000, (64, 256))
    done = run(
        tmp_path, [*ARIBA, "audit", "round", "-f", "json", "-o", "report.json"], in_a_gibibyte
    )
    assert (done.returncode, done.stderr) == (0, b"")
    ranking = json.loads((tmp_path / "report.json").read_bytes())["result"]["ranking"]
    assert len(ranking) == 1_000
    assert {one["id"] for one in ranking if one["flagged"]} >= FIRST


@pytest.mark.slow
def test_ten_thousand_participants_are_scored_in_a_gibibyte(tmp_path: Path) -> None:
    write_many(tmp_path / "round", 10_000, (10, 32))
    audit: list[object] = [*ARIBA, "audit", "round", "-f", "json", "-o", "report.json"]
    done = run(tmp_path, [*audit, "--k-est", "10"], in_a_gibibyte)
    assert (done.returncode, done.stderr) == (0, b"")
    ranking = json.loads((tmp_path / "report.json").read_bytes())["result"]["ranking"]
    assert len(ranking) == 10_000
    assert {one["id"] for one in ranking if one["suspect"]} >= FIRST
    done = run(tmp_path, audit, in_a_gibibyte)
    assert_one_line(done)
    assert b"at least 11,444 MiB" in done.stderr


def test_too_many_to_compare_in_pairs_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "round").mkdir()
    for index in range(800):
        (tmp_path / "round" / f"p{index:03d}.safetensors").touch()
    audit: list[object] = [*ARIBA, "audit", "round", "--max-memory", "1MiB"]
    done = run(tmp_path, audit)
    assert_one_line(done)
    assert b"comparing 800 participants in pairs" in done.stderr
    assert b"--k-est" in done.stderr
    # Nobody is compared in pairs here, and so it is the files that are wrong.
    done = run(tmp_path, [*audit, "--k-est", "10"])
    assert_one_line(done)
    assert b"is empty" in done.stderr
