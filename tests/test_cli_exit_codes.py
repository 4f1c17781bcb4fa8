"""The ends of commands: their messages in one line, and their exit codes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ariba_cli.base.interrupts import defer_signals
from tests.commands import run_command
from tests.conftest import FIXTURES, environment
from tests.models import random_model, safetensors_bytes, write_flat_round, write_model

CLEAN = FIXTURES / "clean"
ATTACKED = FIXTURES / "attacked"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with much that cannot be used."""
    folder = tmp_path_factory.mktemp("folder")
    (folder / "empty").mkdir()
    (folder / "round_0001.partial").mkdir()
    (folder / "file").write_text("text")
    (folder / "truncated.safetensors").write_bytes(safetensors_bytes({})[:-1])
    write_flat_round(folder / "two", 2)
    write_flat_round(folder / "flat", 4)
    shutil.copytree(CLEAN, folder / "elsewhere")
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to("loop")
    for name in ("tampered", "other"):
        shutil.copytree(CLEAN, folder / name / "clean")
        shutil.copy(FIXTURES / "run.json", folder / name)
    with (folder / "tampered/clean/participants/p03.safetensors").open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"\x00\x00\x00\x00")
    run = (folder / "other" / "run.json").read_text()
    (folder / "other" / "run.json").write_text(run.replace('"cnn"', '"resnet18"'))
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["audit", "nowhere"], "there is no directory 'nowhere'"),
        (["audit", "empty"], "holds no updates"),
        (["audit", "file"], "try ariba inspect file"),
        (["aggregate", FIXTURES, "--out", "new"], "is not a round but holds rounds; try "),
        (["audit", "round_0001.partial"], "was never finished"),
        (["audit", "two"], "needs at least 3"),
        (["audit", CLEAN, "--layer", "conv3"], "did you mean 'conv2'? (ariba inspect "),
        (["audit", CLEAN, "--layer", "\x1b[2Jx"], r"have no layer '\x1b[2Jx'"),
        (["audit", CLEAN, "--k-est", "0"], "it must be between 1 and 19"),
        (["audit", CLEAN, "--k-est", "20"], "it must be between 1 and 19"),
        (["audit", CLEAN, "--k-est", "many"], "such as 10 or 20%, not 'many'"),
        (["audit", CLEAN, "--k-est", "101%"], "such as 10 or 20%, not '101%'"),
        (["audit", CLEAN, "--k-est", "-3"], "such as 10 or 20%, not '-3'"),
        (
            ["audit", CLEAN, "--layer", "conv2", "--fragment", "row"],
            "use --fragment kernel, filter or block:D",
        ),
        (["audit", CLEAN, "--fail-on", "suspects"], "--fail-on does not know 'suspects'"),
        (["audit", CLEAN, "--fail-on", "share>=2"], "--fail-on does not know 'share>=2'"),
        (["audit", CLEAN, "--detector", "ecod"], "or pyod:NAME, such as pyod:ECOD"),
        (
            ["audit", CLEAN, "--detector", "pyod:\x1b[2J"],
            r"detector of PyOD '\x1b[2J' (ariba audit",
        ),
        (["audit", CLEAN, "--detector-arg", "k=1"], "panel takes no argument 'k'; it takes none"),
        (
            ["audit", CLEAN, "--detector", "pyod:PCA", "--detector-arg", "k"],
            "write arguments as key=value",
        ),
        (["audit", CLEAN, "--detector", "pyod:PCA", "--fit-sample", "1"], "see ariba audit --help"),
        (["audit", CLEAN, "--truth"], "--truth needs a simulated round"),
        (["audit", CLEAN, "-o", "nowhere/report"], "cannot be written: No such file"),
        (["audit", CLEAN, "--layre", "conv2"], "No such option"),
        (["audit", CLEAN, "-f", "yaml"], "see ariba audit --help"),
        (["audit"], "Missing argument"),
        (["audti"], "No such command"),
        (["inspect", "nowhere"], "there is no directory 'nowhere'"),
        (["inspect", "file"], "'file' is in a format that ariba does not know"),
        (["inspect", "truncated.safetensors"], "is truncated"),
        (["simulate", "file"], "'file' exists"),
        (["simulate", "new", "--keep", "some"], "--keep does not know 'some'"),
        (["simulate", "new", "--participants", "2"], "see ariba simulate --help"),
        (["simulate", "new", "--participants", "2000"], "cannot share 1438 samples as iid"),
        (["simulate", "file/new"], "cannot be made: "),
        (["attack", "nowhere", "--out", "new"], "there is no directory 'nowhere'"),
        (["attack", CLEAN, "--out", "file"], "'file' exists"),
        (["attack", CLEAN], "Missing option"),
        (["attack", CLEAN, "--out", "new", "--k", "20"], "20 of 20 participants cannot"),
        (["attack", CLEAN, "--out", "new", "--compromised", "p99"], "unknown participant 'p99'"),
        (
            ["attack", CLEAN, "--out", "new", "--compromised", "p01", "--k", "1"],
            "give one of them",
        ),
        (["attack", CLEAN, "--out", "new", "--target-class", "10"], "digits has no class 10"),
        (["attack", CLEAN, "--out", "new", "--trigger", "smile"], "unknown trigger 'smile'"),
        (["attack", CLEAN, "--out", "new", "--strategy", "hide"], "unknown strategy 'hide'"),
        (["attack", ATTACKED, "--out", "new"], "is already attacked"),
        (["attack", CLEAN, "--out", "round_0001"], "finish it with --resume, or remove it"),
        (["attack", CLEAN, "--out", "file", "--resume"], "'file' exists"),
        (["attack", "elsewhere", "--out", "elsewhere/new"], "it is needed for"),
        (["attack", "other/clean", "--out", "other/clean/new"], "would lie among the updates"),
        (["convert", "flat", "--out", "flat/new"], "would lie among the updates"),
        (["attack", CLEAN, "--out", "new.partial"], "cannot be the name of a finished directory"),
        (["simulate", "new/.."], "cannot be the name of a finished directory"),
        (["convert", "flat", "--out", "new.partial"], "cannot be the name of a finished directory"),
        (["evaluate", "missing"], "'missing' does not exist"),
        (["evaluate", "loop"], "'loop' does not exist"),
        (
            ["attack", CLEAN, "--out", "new", "--strategy", "none", "--learning-rate", "1e30"],
            "training of the compromised has diverged",
        ),
        (
            ["simulate", "new", "--model", "resnet18", "--batch-size", "1"],
            "needs --batch-size 2 or more, not 1",
        ),
        (["simulate", "round_0001"], "finish it with --resume, or remove it"),
        (["simulate", "file", "--resume"], "'file' exists"),
        (["simulate", "empty", "--resume"], "'empty' exists"),
        (["attack", "flat", "--out", "new"], "it is needed for"),
        (["attack", "elsewhere", "--out", "new"], "it is needed for"),
        (["attack", CLEAN, "--out", "new", "--compromised", ","], "write it as p03,p17"),
        (["attack", CLEAN, "--out", "new", "--sigma", "nan"], "it must be a number"),
        (["attack", CLEAN, "--out", "new", "--sigma", "1e300"], "float32 cannot hold"),
        (["attack", CLEAN, "--out", "new", "--poison-ratio", "nan"], "it must be a number"),
        (["attack", "tampered/clean", "--out", "new"], "its sha256 differs"),
        (["attack", "other/clean", "--out", "new"], "does not hold the model of its run.json"),
        (["simulate", "new", "--eta", "inf"], "it must be a number"),
        (["simulate", "new", "--dataset", "imagenet"], "unknown data set 'imagenet'; use one"),
        (
            ["simulate", "new", "--dataset", "mnist", "--data-dir", "empty"],
            "--download fetches them",
        ),
        (["simulate", "new", "--model", "vit"], "unknown model 'vit'; use one of cnn, wide-cnn"),
        (["simulate", "new", "--partition", "iid:2"], "--partition does not know 'iid:2'"),
        (["simulate", "new", "--device", "tpu"], "unknown device 'tpu'"),
        (["simulate", "new", "--engine", "workers", "--device", "cuda"], "leave out --device"),
        (["simulate", "new", "--attack", "1", "--k", "50"], "50 of 50 participants cannot"),
        (["simulate", "new", "--strategy", "noise"], "--strategy needs an attack; add --attack"),
        (
            ["simulate", "new", "--attack", "7", "--rounds", "6"],
            "never begins: the last round is 6",
        ),
        (
            ["simulate", "new", "--attack", "1", "--strategy", "anomalous", "--rho", "1"],
            "must be at least 0 and less",
        ),
        (["simulate", "new", "--attack", "1", "--rho", "0.1"], "--rho needs --strategy anomalous"),
        (["attack", CLEAN, "--out", "new", "--anomaly", "l2"], "needs --strategy anomalous; add"),
        (
            ["attack", CLEAN, "--out", "new", "--source-class", "1"],
            "needs --strategy label-flipping",
        ),
        (
            ["attack", CLEAN, "--out", "new", "--strategy", "noise", "--sigma", "5"],
            "--sigma needs --strategy replacement",
        ),
        (
            ["attack", CLEAN, "--out", "new", "--strategy-arg", "deviation=1"],
            "deviation needs --strategy noise; add that, or leave out deviation",
        ),
        (
            ["simulate", "new", "--attack-epochs", "2"],
            "--attack-epochs needs an attack; add --attack",
        ),
        (["attack", CLEAN, "--out", "new", "--sigma", "-1"], "see ariba attack --help"),
        (["attack", CLEAN, "--out", "new", "--rho", "2"], "see ariba attack --help"),
        (["attack", CLEAN, "--out", "new", "--strategy", "hope"], "unknown strategy 'hope'"),
        (
            ["attack", CLEAN, "--out", "new", "--strategy", "none", "--strategy", "noise"],
            "--strategy none excludes all others",
        ),
        (["simulate", "new", "--keep", "every:" + "9" * 5000], "--keep does not know"),
        (["audit", CLEAN, "--fragment", "block:" + "9" * 5000], "lacks a block size"),
        (["audit", "x" * 300], "there is no directory"),
        (["audit", CLEAN, "-o", "x" * 300], "cannot be written: File name too long"),
        (["inspect", "x" * 300], "there is no directory"),
        (["inspect", "pipe"], "'pipe' is not a regular file"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_2(
    folder: Path, arguments: list[object], message: str
) -> None:
    before = sorted(os.listdir(folder))
    done = run_command(list(map(str, arguments)), folder, environment())
    error = done.stderr.decode()
    assert done.returncode == 2, error
    assert done.stdout == b""
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert sorted(os.listdir(folder)) == before


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rounds that are audited, and not without findings."""
    folder = tmp_path_factory.mktemp("spoiled")
    root = write_flat_round(folder / "spoiled", 5)
    shutil.copy(root / "p3.safetensors", root / "twin.safetensors")
    model = random_model(9)
    model["conv2.weight"][0] = float("nan")
    write_model(root / "nan.safetensors", model)
    (root / "refused").write_bytes(b"")
    shutil.copytree(CLEAN, folder / "garbage")
    (folder / "garbage" / "manifest.json").write_text("garbage")
    return folder


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["audit", CLEAN], 0),
        (["audit", CLEAN, "--fail-on", "flagged"], 0),
        (["audit", ATTACKED, "--fail-on", "flagged"], 1),
        (["audit", ATTACKED, "--level", "1e-200", "--fail-on", "flagged"], 0),
        (["audit", CLEAN, "--layer", "conv2", "--fail-on", "share>=0.5"], 0),
        (["audit", CLEAN, "--layer", "conv2", "--fail-on", "share>=0.2"], 1),
        (["audit", CLEAN, "--fail-on", "unsealed"], 0),
        (["audit", "spoiled", "--fail-on", "unsealed"], 1),
        (["audit", "garbage", "--fail-on", "unsealed"], 1),
        (["audit", "spoiled", "--fail-on", "nonfinite"], 1),
        (["audit", "spoiled", "--fail-on", "refused"], 1),
        (["audit", "spoiled", "--fail-on", "duplicate"], 1),
        (["audit", "spoiled", "--k-est", "2", "--fail-on", "share>=1", "--fail-on", "refused"], 1),
        (["audit", "spoiled", "--layer", "nothing", "--fail-on", "refused"], 2),
        (["audit", "spoiled"], 0),
        (["inspect", "spoiled"], 0),
        ([], 0),
        (["--help"], 0),
        (["--version"], 0),
        (["audit", "-h"], 0),
    ],
)
def test_exit_codes(spoiled: Path, arguments: list[object], code: int) -> None:
    done = run_command(list(map(str, arguments)), spoiled, environment())
    assert done.returncode == code
    assert done.stdout if code < 2 else not done.stdout


@pytest.mark.parametrize("debug", ["", "1"])
def test_an_unexpected_error_is_one_line_unless_it_is_to_be_debugged(debug: str) -> None:
    script = (
        "import ariba_cli.auditing.audit; ariba_cli.auditing.audit.agreed_layers = None\n"
        "from ariba_cli.cli.app import main\n"
        "raise SystemExit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "audit", str(CLEAN)],
        env=environment(ARIBA_DEBUG=debug),
        capture_output=True,
        check=False,
    )
    error = done.stderr.decode()
    if debug:
        assert "Traceback" in error
    else:
        assert done.returncode == 2
        assert error.startswith("error: unexpected TypeError: ")
        assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
@pytest.mark.parametrize(
    ("arguments", "awaited", "left", "hint"),
    [
        (["simulate", "run", "--keep", "all"], "run.partial/round_0001", ["run.partial"], True),
        (["attack", CLEAN, "--out", "new"], "new.partial", [], False),
    ],
    ids=["simulate", "attack"],
)
def test_a_signal_leaves_nothing_half_written(
    tmp_path: Path,
    number: int,
    code: int,
    arguments: list[object],
    awaited: str,
    left: list[str],
    hint: bool,
) -> None:
    def end(process: int) -> None:
        for _ in range(6000):
            if (tmp_path / awaited).exists():
                break
            time.sleep(0.01)
        os.kill(process, number)

    done = run_command(list(map(str, arguments)), tmp_path, environment(), meanwhile=end)
    assert (done.returncode, done.stdout) == (code, b"")
    word = "interrupted" if number == signal.SIGINT else "terminated"
    assert done.stderr.decode() == word + ("; finish it with --resume\n" if hint else "\n")
    assert os.listdir(tmp_path) == left
    # What a round was being written into is removed, what is finished is kept.
    assert not list(tmp_path.rglob("round_*.partial")) + list(tmp_path.rglob(".*.tmp"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_wait_while_libraries_are_imported(number: int) -> None:
    arrived = []
    before = signal.signal(number, lambda *_: arrived.append(number))
    try:
        with defer_signals():
            os.kill(os.getpid(), number)
            time.sleep(0.05)
            assert arrived == []
        assert arrived == [number]
    finally:
        signal.signal(number, before)
