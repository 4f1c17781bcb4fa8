"""A process that was killed, and finished by --resume: the files are as if nothing had happened."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.rounds.directory import open_round
from ariba_cli.runs.forging import forge
from ariba_cli.runs.run_file import read_run
from tests.conftest import FIXTURES, Ariba, environment
from tests.test_federated import contents

OPTIONS = ["--participants", "5", "--rounds", "4", "--keep", "all"]


def start(root: Path, *arguments: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "ariba_cli", *map(str, arguments)],
        cwd=root,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_when_there(process: "subprocess.Popen[bytes]", path: Path) -> None:
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    process.wait()


def test_a_run_that_was_killed_twice_writes_the_same_files(tmp_path: Path, ariba: Ariba) -> None:
    whole = ariba("simulate", "whole", *OPTIONS)
    assert whole.returncode == 0
    partial = tmp_path / "run.partial"
    kill_when_there(start(tmp_path, "simulate", "run", *OPTIONS), partial / "round_0001")
    again = start(tmp_path, "simulate", "run", *OPTIONS, "--resume")
    kill_when_there(again, partial / "checkpoint_0003.safetensors")
    assert sorted(os.listdir(tmp_path)) == ["run.partial", "whole"]
    done = ariba("simulate", "run", *OPTIONS, "--resume")
    assert (done.returncode, done.stdout) == (0, whole.stdout.replace(b"whole", b"run"))
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")
    assert sorted(os.listdir(tmp_path)) == ["run", "whole"]


def test_an_attack_that_was_killed_is_done_again(tmp_path: Path, ariba: Ariba) -> None:
    clean = FIXTURES / "clean"
    attack = ("attack", clean, "--seed", "42", "--epochs", "8", "--out", "new")
    kill_when_there(start(tmp_path, *attack), tmp_path / "new.partial")
    (tmp_path / "new.partial" / "participants").mkdir(exist_ok=True)
    (tmp_path / "new.partial" / "participants" / "p00.safetensors").write_bytes(b"half")
    assert ariba(*attack, "--resume").returncode == 0
    settings = AttackSettings(seed=42)
    settings = replace(settings, training=replace(settings.training, epochs=8))
    forge(open_round(clean), read_run(clean), tmp_path / "other", settings)
    assert sorted(os.listdir(tmp_path)) == ["new", "other"]
    assert contents(tmp_path / "new") == contents(tmp_path / "other")


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGKILL, -signal.SIGKILL, ""),
        (signal.SIGTERM, 143, "terminated; finish it with --resume\n"),
        (signal.SIGINT, 130, "interrupted; finish it with --resume\n"),
    ],
)
def test_no_process_outlives_the_one_that_started_it(
    tmp_path: Path, number: int, code: int, said: str
) -> None:
    options = ["--engine", "workers", "--epochs", "60", "--batch-size", "5", "--participants", "4"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ariba_cli", "simulate", "run", *options],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while not (children := children_of(process.pid)):
        assert process.poll() is None
        time.sleep(0.01)
    # Some are still being started then, which is the worst moment. Ctrl-C goes to all of them.
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, error = process.communicate(timeout=120)
    assert process.returncode == code
    if number != signal.SIGKILL:
        assert error.decode() == said
    deadline = time.monotonic() + 60
    while any(map(is_running, children)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def children_of(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in text.split()]


def is_running(process: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_moment_writes_the_same_files(
    tmp_path: Path, ariba: Ariba
) -> None:
    begun = time.monotonic()
    assert ariba("simulate", "whole", *OPTIONS).returncode == 0
    seconds = time.monotonic() - begun
    whole = contents(tmp_path / "whole")
    delays = random.Random(20).sample(range(1000), 50)
    hits: Counter[str] = Counter()
    for delay in delays:
        process = start(tmp_path, "simulate", "run", *OPTIONS)
        time.sleep(delay / 1000 * seconds * 1.1)
        process.kill()
        process.wait()
        hits[progress_of(tmp_path)] += 1
        done = ariba("simulate", "run", *OPTIONS, "--resume")
        assert done.returncode == 0, done.stderr
        assert contents(tmp_path / "run") == whole
        assert sorted(os.listdir(tmp_path)) == ["run", "whole"]
        shutil.rmtree(tmp_path / "run")
    print(f"kills within {1.1 * seconds:.1f} s: {dict(hits)}")
    assert set(hits) == {"before the first checkpoint", "during training", "after the end"}


def progress_of(root: Path) -> str:
    """Return the progress of a run when it was killed."""
    if (root / "run").exists():
        return "after the end"
    if (root / "run.partial" / "checkpoint.json").exists():
        return "during training"
    return "before the first checkpoint"
