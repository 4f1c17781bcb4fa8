"""Shells complete what exists: commands, options and their values."""

import os
import pty
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import typer.main

from ariba_cli.attacks.strategies import ANOMALIES, STRATEGIES
from ariba_cli.attacks.triggers import TRIGGERS
from ariba_cli.cli.app import app
from ariba_cli.cli.completion import heed_shells, split
from ariba_cli.cli.options import choices
from ariba_cli.cli.options.conditions import FORMS, parse_condition
from ariba_cli.detectors import DETECTORS, make_detector
from ariba_cli.federated.datasets import DATASETS
from ariba_cli.federated.models import MODELS
from ariba_cli.federated.partitions import parse_partition
from ariba_cli.reports.published import versions
from ariba_cli.runs.plan import parse_keep
from ariba_cli.scoring.pyod_catalogue import CATALOGUE
from ariba_cli.updates.fragments import layout_of
from tests.conftest import Ariba, environment

SHELLS = ("bash", "zsh", "fish")


def completed(ariba: Ariba, line: str) -> list[str]:
    """Return the completions that a shell is given for a line up to the cursor."""
    done = ariba(_ARIBA_COMPLETE="complete_bash", _ARIBA_COMPLETE_LINE=line)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode("ascii").splitlines()


def options_of(command: object) -> set[str]:
    params = getattr(command, "params", [])
    return {name for param in params for name in (*param.opts, *param.secondary_opts)}


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("ariba audit --format ", ["table", "json", "csv"]),
        ("ariba audit -f j", ["json"]),
        ("ariba audit --format=c", ["csv"]),
        ("ariba audit round -o out --color a", ["auto", "always"]),
        ("ariba audit --fail-on ", [form.start for form in FORMS]),
        ("ariba audit --fail-on tie --fail-on 'sha", ["share>="]),
        ("ariba audit --detector ", ["mahalanobis", *choices.detectors()[1:]]),
        ("ariba audit --detector pyod:IF", ["pyod:IForest"]),
        ("ariba audit --fragment b", ["block:"]),
        ("ariba attack round --trigger ", list(TRIGGERS)),
        ("ariba simulate out --strategy ", [*STRATEGIES, "none"]),
        ("ariba attack round --strategy-arg devi", ["deviation="]),
        ("ariba simulate out --anomaly ", list(ANOMALIES)),
        ("ariba simulate out --dataset ", list(DATASETS)),
        ("ariba simulate out --model ", list(MODELS)),
        ("ariba evaluate model --trigger se", ["semantic"]),
        ("ariba schema ", list(versions())),
        ("ariba completion ", list(SHELLS)),
        # What would print something is not run while the rest is completed.
        ("ariba --version au", ["audit"]),
        ("ariba audit --list-detectors --str", ["--strict"]),
        # Files are the shell's.
        ("ariba audit ", []),
        ("ariba audit --output ", []),
    ],
)
def test_values_are_completed(ariba: Ariba, line: str, values: list[str]) -> None:
    assert [value for value in completed(ariba, line) if value] == values


def test_every_command_and_option_is_completed(ariba: Ariba) -> None:
    commands = getattr(typer.main.get_command(app), "commands", {})
    assert completed(ariba, "ariba ") == list(commands)
    for name in ("simulate", "audit", "inspect"):
        shown = completed(ariba, f"ariba {name} --")
        long = {one for one in options_of(commands[name]) if one.startswith("--")}
        assert set(shown) == long | {"--help"}


def test_whatever_is_completed_is_taken() -> None:
    for condition in choices.conditions():
        parse_condition(condition + ("0.5" if condition[-1] in "=<" else ""))
    for detector in choices.detectors():
        assert detector in DETECTORS or detector.removeprefix("pyod:") in CATALOGUE
    assert make_detector(choices.detectors()[0]).declaration.name == "mahalanobis"
    for way in choices.partitions():
        parse_partition(way + ("2" if way.endswith(":") else ""))
    for kept in choices.kept_rounds():
        parse_keep(kept + ("2" if kept.endswith(":") else ""))
    for fragment in choices.fragments():
        shape = (4, 6) if fragment == "row" else (4, 2, 3, 3)
        layout_of("w", shape, fragment + ("2" if fragment.endswith(":") else ""))


def test_what_is_completed_is_plain() -> None:
    for name, values in vars(choices).items():
        if callable(values) and not name.startswith("_"):
            for value in values():
                assert value.isascii()
                assert value.isprintable()
                assert not set(value) & set(" '\"$`\\")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ariba", ["ariba"]),
        ("ariba  audit\t", ["ariba", "audit", ""]),
        ("ariba audit 'a b", ["ariba", "audit", "a b"]),
        ('ariba audit "a b', ["ariba", "audit", "a b"]),
        (r"ariba audit a\ b", ["ariba", "audit", "a b"]),
        ("ariba audit a\\", ["ariba", "audit", "a"]),
        ("ariba audit 'it\"s' x", ["ariba", "audit", 'it"s', "x"]),
        ("ariba audit pyod:E", ["ariba", "audit", "pyod:E"]),
        ("", [""]),
    ],
)
def test_an_unfinished_line_is_split_as_a_shell_would(line: str, words: list[str]) -> None:
    assert split(line) == words


def test_the_variables_of_typer_work_by_themselves(ariba: Ariba) -> None:
    done = ariba(_ARIBA_COMPLETE="complete_bash", COMP_WORDS="ariba audit --stri", COMP_CWORD="2")
    assert done.stdout == b"--strict\n"
    untouched = {"COMP_WORDS": "x"}
    heed_shells(untouched)
    assert untouched == {"COMP_WORDS": "x"}


def test_a_script_is_printed_for_every_shell(ariba: Ariba) -> None:
    for shell in SHELLS:
        done = ariba("completion", shell)
        assert (done.returncode, done.stderr) == (0, b"")
        text = done.stdout.decode("ascii")
        assert "_ARIBA_COMPLETE_LINE" in text
        if shutil.which(shell):
            subprocess.run([shell, "-n", "-c", text], check=True)
    assert ariba("completion", "tcsh").returncode == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("line", "words", "found"),
    [
        ("ariba aud", ["ariba", "aud"], ["audit"]),
        (
            "ariba audit --detector pyod:IF",
            ["ariba", "audit", "--detector", "pyod", ":", "IF"],
            ["IForest"],
        ),
        ("ariba audit --fail-on sha", ["ariba", "audit", "--fail-on", "sha"], [r"share\>="]),
        ("ariba audit --fail-on 'sha", ["ariba", "audit", "--fail-on", "'sha"], ["share>="]),
        ("ariba audit --format=j", ["ariba", "audit", "--format", "=", "j"], ["json"]),
        ("ariba audit fix", ["ariba", "audit", "fix"], []),
    ],
)
def test_bash_is_given_the_rest_of_its_own_words(
    tmp_path: Path, command_path: str, line: str, words: list[str], found: list[str]
) -> None:
    script = (
        'eval "$(ariba completion bash)"; line=$1; shift\n'
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE=$line; COMP_POINT=${#line}\n'
        'set --; _ariba_completion ariba; printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "-c", script, "bash", line, *words],
        env=environment(PATH=command_path),
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    assert done.stdout.decode().split() == found


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ariba aud", ["audit"]),
        ("ariba audit --fail-on sha", ["share>="]),
        ("ariba audit --detector pyod:IF", ["pyod:IForest"]),
        ("ariba audit rou", ["round_0001/"]),
    ],
)
def test_fish_is_given_values_and_files(
    tmp_path: Path, command_path: str, line: str, found: list[str]
) -> None:
    (tmp_path / "round_0001").mkdir()
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"ariba completion fish | source; complete -C '{line}'"],
        env=environment(PATH=command_path),
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().split() == found


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_a_tab_completes_in_bash(tmp_path: Path, command_path: str) -> None:
    (tmp_path / "round_0001").mkdir()
    (tmp_path / "rc").write_text('PS1="$ "\neval "$(ariba completion bash)"\necho ready\n')
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        ["bash", "--noprofile", "--rcfile", tmp_path / "rc", "-i"],
        env=environment(PATH=command_path, TERM="dumb"),
        cwd=tmp_path,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    try:
        shown_until(leader, b"ready")
        os.write(leader, b"ariba aud\t")
        shown_until(leader, b"audit ")
        os.write(leader, b"rou\t")
        shown_until(leader, b"round_0001/")
        os.write(leader, b" --detector pyod:IF\t")
        shown_until(leader, b"pyod:IForest ")
        os.write(leader, b"--fail-on sha\t")
        shown_until(leader, rb"share\>=")
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def shown_until(leader: int, awaited: bytes) -> None:
    shown, deadline = b"", time.monotonic() + 30
    while awaited not in shown:
        ready, _, _ = select.select([leader], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, shown
        shown += os.read(leader, 4096)
