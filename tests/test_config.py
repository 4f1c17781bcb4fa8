"""Defaults of options from a file: where it is read from, what it may hold, and who sees it."""

import hashlib
import json
import os
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING

import jsonschema
import pytest

from ariba_cli.cli import defaults
from ariba_cli.reports.published import schema
from tests.conftest import FIXTURES, Ariba
from tests.html_pages import Page

if TYPE_CHECKING:
    import subprocess

ATTACKED = FIXTURES / "attacked"
SEVEN = '[audit]\nk-est = 7\nlayer = ["conv2"]\ntop = "all"\n'


def run(ariba: Ariba, *arguments: object, **variables: str) -> "subprocess.CompletedProcess[bytes]":
    return ariba("audit", *arguments, **variables)


def report(ariba: Ariba, *arguments: object, **variables: str) -> dict[str, object]:
    done = run(ariba, ATTACKED, "-f", "json", *arguments, **variables)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def k_est(content: dict[str, object]) -> object:
    return content["result"]["method"]["k_est"]  # type: ignore[index]


def config(content: dict[str, object]) -> dict[str, object] | None:
    found: dict[str, object] | None = content["run"].get("config")  # type: ignore[attr-defined]
    return found


def test_options_come_from_the_working_directory_and_the_report_says_so(
    ariba: Ariba, tmp_path: Path
) -> None:
    (tmp_path / "ariba.toml").write_text(SEVEN)
    content = report(ariba)
    assert k_est(content) == 7
    assert config(content) == {
        "file": "ariba.toml",
        "sha256": hashlib.sha256(SEVEN.encode()).hexdigest(),
        "options": {"k-est": 7, "layer": ["conv2"], "top": "all"},
    }
    jsonschema.validate(content, json.loads(schema("audit")))
    said = run(ariba, ATTACKED, "--html", "page.html").stderr.decode()
    assert said == "options from 'ariba.toml': k-est, layer, top\n"
    text = " ".join(Page((tmp_path / "page.html").read_bytes()).text.split())
    assert 'options from a file k-est 7; layer ["conv2"]; top "all"' in text


def test_the_command_line_and_the_environment_go_before_it(ariba: Ariba, tmp_path: Path) -> None:
    (tmp_path / "ariba.toml").write_text(SEVEN)
    content = report(ariba, "--k-est", "5", ARIBA_AUDIT_TOP="3")
    assert k_est(content) == 5
    found = config(content)
    assert found is not None
    assert found["options"] == {"layer": ["conv2"]}


def test_a_project_has_a_table_and_a_named_file_goes_before_it(
    ariba: Ariba, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.ariba.audit]\nk_est = 6\n")
    assert k_est(report(ariba)) == 6
    named = tmp_path / "other" / "case.toml"
    named.parent.mkdir()
    named.write_text(SEVEN)
    assert k_est(report(ariba, "--config", named)) == 7
    assert k_est(report(ariba, ARIBA_CONFIG=str(named))) == 7
    assert config(report(ariba, ARIBA_CONFIG=os.devnull))["options"] == {}  # type: ignore[index]


def test_a_project_without_a_table_says_nothing(ariba: Ariba, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert config(report(ariba)) is None


@pytest.mark.parametrize("place", [".", "..", "../round", "/"])
def test_none_is_read_from_what_is_audited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    inside = tmp_path / "round"
    inside.mkdir()
    (inside / "ariba.toml").write_text('[audit]\nexclude = ["p01"]\n')
    monkeypatch.chdir(inside)
    assert defaults.find_config(None, ["elsewhere"], ["audit"])[1] is None
    assert defaults.find_config(None, ["elsewhere", place], ["audit"]) == (
        None,
        f"'ariba.toml' was not read: it lies in '{place}', where participants may write; "
        "--config ariba.toml reads it",
    )


@pytest.mark.parametrize("name", ["manifest.json", "global.npz"])
def test_none_is_read_that_lies_in_a_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.ariba.audit]\nexclude = ["p01"]\n')
    (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    found, warning = defaults.find_config(None, [], ["audit"])
    assert found is None
    assert warning is not None
    assert "it lies in a round" in warning


def test_none_is_read_where_the_rounds_are_not_known_yet(ariba: Ariba, tmp_path: Path) -> None:
    (tmp_path / "ariba.toml").write_text(SEVEN)
    (tmp_path / "list").write_bytes(os.fsencode(ATTACKED) + b"\0")
    done = run(ariba, "--files0-from", "list", "-f", "json")
    assert done.returncode == 0
    assert b"'ariba.toml' was not read" in done.stderr
    assert config(json.loads(done.stdout.splitlines()[0])) is None


def test_the_round_below_the_working_directory_may_have_one(ariba: Ariba, tmp_path: Path) -> None:
    copytree(ATTACKED, tmp_path / "round")
    (tmp_path / "round" / "ariba.toml").write_text('[audit]\nexclude = ["p01"]\n')
    done = run(ariba, "round", "-f", "json")
    assert config(json.loads(done.stdout)) is None


def test_none_of_another_user_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ariba.toml").write_text(SEVEN)
    monkeypatch.chdir(tmp_path)
    if os.geteuid() == 0:
        os.chown(tmp_path / "ariba.toml", 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    found, warning = defaults.find_config(None, [], ["audit"])
    assert found is None
    assert "it belongs to another user" in (warning or "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[adit]\n", "ariba has no command adit; did you mean audit?"),
        ("[audit]\nk-ets = 7\n", "audit has no option k-ets; did you mean k-est?"),
        ("[audit]\nconfig = 'x'\n", "audit has no option config"),
        ("level = 0.1\n", "level stands outside of a table"),
        ("[audit]\nlayer = 'conv2'\n", "layer of audit must be a list of texts or numbers"),
        ("[audit]\nstrict = 1\n", "strict of audit must be true or false"),
        ("[audit]\nlevel = nan\n", "level of audit must be a text or a number"),
        ("[audit]\nlevel = true\n", "level of audit must be a text or a number"),
        ("[audit]\nlevel = 'high'\n", "'high' is not a valid float, in 'ariba.toml'"),
        ("[audit\n", "'ariba.toml' cannot be read as TOML"),
        ("#" * 2**21, "'ariba.toml' is larger than 1 MiB"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    ariba: Ariba, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "ariba.toml").write_text(text)
    done = run(ariba, ATTACKED)
    assert done.returncode == 2
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert said in line


def test_a_file_that_is_named_must_be_there(ariba: Ariba) -> None:
    done = run(ariba, ATTACKED, "--config", "nowhere.toml")
    assert done.returncode == 2
    assert done.stderr == b"error: 'nowhere.toml' cannot be read: No such file or directory\n"


def test_help_does_not_need_it(ariba: Ariba, tmp_path: Path) -> None:
    (tmp_path / "ariba.toml").write_text("[audit")
    for option in ("--help", "--list-detectors"):
        assert run(ariba, option).returncode == 0
    assert ariba("schema", "audit").returncode == 0
