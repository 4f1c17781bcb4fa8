"""Files that the user names himself: lists and reports through links and pipes, and outputs."""

import codecs
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ariba_cli.base.errors import InputError
from ariba_cli.files.limits import Limits
from ariba_cli.rounds.names import read_names
from tests.commands import run_command
from tests.conftest import FIXTURES, Ariba, environment

ROUND = FIXTURES / "attacked"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of an audit."""
    folder = tmp_path_factory.mktemp("report")
    done = run_command(
        ["audit", str(ROUND), "-f", "json", "-o", "report.json"], folder, environment()
    )
    assert done.returncode == 0
    return folder / "report.json"


def in_bash(line: str, report: Path, cwd: Path) -> "subprocess.CompletedProcess[bytes]":
    """Run a line of bash, in which $ARIBA is the command and $REPORT a report."""
    variables = {"ARIBA": f"{sys.executable} -m ariba_cli", "REPORT": str(report)}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        env=environment(**variables),
        cwd=cwd,
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize(
    "written",
    [
        b"conv 1.weight\n\n  fc.bias \n",
        b"conv 1.weight\r\nfc.bias\r\n",
        codecs.BOM_UTF8 + b"conv 1.weight\nfc.bias",
        codecs.BOM_UTF8 + b'["conv 1.weight", "fc.bias"]',
        "conv 1.weight\nfc.bias\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + "conv 1.weight\nfc.bias\n".encode("utf-16-be"),
    ],
)
def test_a_list_has_one_name_a_line(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "names.txt").write_bytes(written)
    (tmp_path / "link").symlink_to("names.txt")
    for path in (tmp_path / "names.txt", tmp_path / "link"):
        assert read_names(path, Limits()) == ("conv 1.weight", "fc.bias")


@pytest.mark.parametrize("written", [codecs.BOM_UTF16_LE + b"a", b"\xff", b'[1, "a"]', b"", b"[["])
def test_what_is_no_list_is_an_error(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "names.txt").write_bytes(written)
    with pytest.raises(InputError, match=r"names\.txt"):
        read_names(tmp_path / "names.txt", Limits())


@pytest.mark.parametrize(
    "line",
    [
        "ln -s $REPORT latest.json && $ARIBA report latest.json",
        "$ARIBA report <(cat $REPORT)",
        "$ARIBA report /dev/stdin < $REPORT",
        "cat $REPORT | $ARIBA report /dev/stdin",
        "(printf '\\xef\\xbb\\xbf'; cat $REPORT) > bom.json && $ARIBA report bom.json",
        "(printf '\\xff\\xfe'; iconv -t utf-16le $REPORT) > utf16.json && $ARIBA report utf16.json",
    ],
)
def test_a_report_comes_through_links_and_pipes(tmp_path: Path, report: Path, line: str) -> None:
    direct = in_bash("$ARIBA report $REPORT", report, tmp_path)
    done = in_bash(line, report, tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == direct.stdout != b""


def test_two_pipes_are_compared(tmp_path: Path, report: Path) -> None:
    done = in_bash("$ARIBA diff <(cat $REPORT) <(cat $REPORT)", report, tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("output", ["there/", "there", "new/", "there/new/", ""])
@pytest.mark.parametrize("option", ["-o", "--html"])
def test_a_directory_is_no_output(tmp_path: Path, ariba: Ariba, output: str, option: str) -> None:
    (tmp_path / "there").mkdir()
    done = ariba("audit", ROUND, option, output)
    assert (done.returncode, done.stdout) == (2, b"")
    assert (
        done.stderr == f"error: '{output}' is a directory; name the file to write in it\n".encode()
    )
    assert os.listdir(tmp_path) == ["there"]


def test_a_dash_is_stdout(tmp_path: Path, report: Path, ariba: Ariba) -> None:
    done = ariba("report", report, "-o", "-")
    assert done.stdout == ariba("report", report).stdout != b""
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("command", ["audit", "inspect"])
def test_a_participant_is_not_read_through_a_link(
    tmp_path: Path, ariba: Ariba, command: str
) -> None:
    root = Path(shutil.copytree(ROUND, tmp_path / "round"))
    update = root / "participants" / "p03.safetensors"
    update.rename(tmp_path / "elsewhere")
    update.symlink_to(tmp_path / "elsewhere")
    shown = b" ".join(ariba(command, root).stdout.split())
    assert b"refused: p03: is a link, which ariba does not follow; put the file itself" in shown
