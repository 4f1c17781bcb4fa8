"""Data goes to stdout and everything else to stderr, in a pipe, a file and on a terminal."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FIXTURES, Ariba, environment

# The commands, with a progress bar from the start and not after a second, which some machines
# do not need for the work.
AT_ONCE = """
from ariba_cli.cli import app, console
console._SECONDS_BEFORE_PROGRESS = 0
raise SystemExit(app.main())
"""
ATTACKED = FIXTURES / "attacked"
AUDIT = ("audit", ATTACKED, "--reproducible")


def on_a_terminal(
    *arguments: object, python: tuple[str, ...] = ("-m", "ariba_cli"), **variables: str
) -> tuple[bytes, int]:
    """Return the output of a command whose streams are both a terminal of 90 columns."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *python, *map(str, arguments)],
        env=environment(COLUMNS="90", TERM="xterm-256color", **variables),
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(leader)
    return shown.replace(b"\r\n", b"\n"), process.wait()


def test_json_is_the_same_in_a_pipe_in_a_file_and_on_a_terminal(
    tmp_path: Path, ariba: Ariba
) -> None:
    command = (*AUDIT, "-f", "json")
    # As on the terminal by a fresh interpreter: reports say which libraries were imported.
    piped = subprocess.run(
        [sys.executable, "-m", "ariba_cli", *map(str, command)],
        env=environment(),
        capture_output=True,
        check=True,
    )
    assert piped.stderr == b""
    shown, code = on_a_terminal(*command)
    assert code == 0
    assert shown == piped.stdout
    written = ariba(*command, "-o", "report.json")
    assert (written.stdout, written.stderr) == (b"", b"")
    in_file = json.loads((tmp_path / "report.json").read_bytes())
    assert in_file["result"] == json.loads(piped.stdout)["result"]
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_table_is_in_colour_on_a_terminal_only(ariba: Ariba) -> None:
    shown, _ = on_a_terminal(*AUDIT)
    assert b"\x1b[1;31m" in shown
    assert b"\x1b" not in ariba(*AUDIT).stdout
    assert b"\x1b" not in on_a_terminal(*AUDIT, NO_COLOR="1")[0]
    assert b"\x1b[1;31m" in ariba(*AUDIT, FORCE_COLOR="1").stdout
    assert b"\x1b" not in ariba(*AUDIT, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert b"\x1b" not in ariba(*AUDIT, "--color", "never", FORCE_COLOR="1").stdout
    assert b"\x1b" not in on_a_terminal(*AUDIT, "--color", "never")[0]
    assert b"\x1b[1;31m" in ariba(*AUDIT, "--color", "always").stdout


def test_the_format_does_not_depend_on_the_terminal(ariba: Ariba) -> None:
    shown = on_a_terminal(*AUDIT, "--color", "never")[0].decode()
    piped = ariba(*AUDIT).stdout.decode()
    assert shown.split() != []
    assert [line.split()[:4] for line in shown.splitlines() if "p15" in line][:1] == [
        line.split()[:4] for line in piped.splitlines() if "p15" in line
    ][:1]


def test_a_closed_pipe_ends_it_quietly() -> None:
    command = f"{sys.executable} -m ariba_cli audit {ATTACKED} -f json | head -c 10"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert done.stderr == b""
    assert done.returncode == 0


def test_a_full_disk_is_an_error_and_not_silence() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ariba_cli", "audit", str(ATTACKED)],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == b"error: stdout cannot be written: No space left on device\n"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("audit {round} -f json 2>&-", 0),
        ("audit {round} -f csv 2>/dev/full", 0),
        ("audit nowhere 2>&-", 2),
        ("audit nowhere 2>/dev/full", 2),
        ("audit {round} >&-", 2),
        ("--help >&-", 2),
        ("--version >&-", 2),
        ("--help | true", 0),
        ("--help > /dev/full", 2),
        ("--version > /dev/full", 2),
    ],
)
def test_missing_and_full_streams(command: str, code: int) -> None:
    line = f"{sys.executable} -m ariba_cli {command.format(round=ATTACKED)}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], env=environment(), capture_output=True, check=False
    )
    assert done.returncode == code
    assert b"unexpected" not in done.stderr
    assert done.stderr.count(b"\n") == done.stderr.count(b"error: ")
    assert b"error" not in done.stdout


def test_csv_says_what_is_wrong_on_stderr(tmp_path: Path, ariba: Ariba) -> None:
    root = Path(shutil.copytree(ATTACKED, tmp_path / "round"))
    (root / "participants" / "p18.safetensors").write_bytes(b"")
    done = ariba("audit", root, "-f", "csv", "-q")
    assert b"warning: refused: p18: is empty" in done.stderr


def test_source_date_epoch_must_be_a_number(ariba: Ariba) -> None:
    for value in ("soon", "9" * 17):
        done = ariba("audit", ATTACKED, "-f", "json", SOURCE_DATE_EPOCH=value)
        assert done.returncode == 2
        assert b"must be a number of seconds" in done.stderr
    done = ariba(*AUDIT, "-f", "json", SOURCE_DATE_EPOCH="")
    assert json.loads(done.stdout)["run"]["started"] == "1970-01-01T00:00:00Z"


def test_devices_and_links_are_written_through(tmp_path: Path, ariba: Ariba) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE)
    for output in ("/dev/null", "link", "pipe"):
        assert ariba(*AUDIT, "-f", "csv", "-o", output).returncode == 0
    assert not os.path.isfile("/dev/null")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == reader.communicate()[0]


def test_quiet_and_verbose(ariba: Ariba) -> None:
    command = ("audit", ATTACKED, "-f", "csv")
    assert b"coverage: 8 of 8 layers" in ariba(*command).stderr
    assert ariba(*command, "-q").stderr == b""
    assert b"examined conv2.weight of 20 participants" in ariba(*command, "-v").stderr


def test_ascii_locales_get_ascii(ariba: Ariba) -> None:
    done = ariba(*AUDIT, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stdout.isascii()


def test_environment_variables_give_defaults(ariba: Ariba) -> None:
    done = ariba("audit", ATTACKED, ARIBA_AUDIT_FORMAT="csv", ARIBA_AUDIT_K_EST="7")
    assert done.stdout.startswith(b"rank,id,score,share,p_value,suspect,conv1.weight,")
    assert done.stdout.count(b",yes") == 7


def test_a_round_that_cannot_be_written_to_is_audited(tmp_path: Path, ariba: Ariba) -> None:
    root = Path(shutil.copytree(ATTACKED, tmp_path / "round"))
    for path in (root, root / "participants"):
        path.chmod(0o555)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert ariba("audit", root).returncode == 0
    assert ariba("inspect", root).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    for path in (root, root / "participants"):
        path.chmod(0o755)


@pytest.mark.parametrize("name", ["[red]\x1b[31m", "a\nb", "\u202e"])
def test_a_path_in_an_error_is_harmless(ariba: Ariba, name: str) -> None:
    error = ariba("audit", name).stderr.decode()
    assert error.count("\n") == 1
    assert error.rstrip("\n").isprintable()


def test_a_progress_bar_is_shown_on_a_terminal_only(tmp_path: Path, ariba: Ariba) -> None:
    command = ("simulate", tmp_path / "a", "--participants", "3", "--rounds", "8", "--epochs", "1")
    shown, code = on_a_terminal(*command, python=("-c", AT_ONCE))
    assert code == 0
    assert b"accuracy" in shown
    assert b"24/24" in shown
    done = ariba("simulate", "b", *command[2:])
    assert done.stdout == b"b/round_0008\n"
    assert done.stderr.startswith(b"test accuracy")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("option", ["-o", "--html"])
def test_an_audit_writes_nothing_among_the_updates(
    ariba: Ariba, attacked: Path, option: str
) -> None:
    before = sorted(attacked.rglob("*"))
    done = ariba("audit", attacked, option, attacked / "participants" / "report.safetensors")
    assert done.returncode == 2
    assert b"would lie among the updates of the round" in done.stderr
    assert sorted(attacked.rglob("*")) == before
