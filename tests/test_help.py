"""The help of commands: alike in all of them, and in the documentation too."""

import importlib.metadata
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main

from ariba_cli.cli.app import app
from ariba_cli.cli.sections import SECTIONS
from docs import man
from docs.make import COMMANDS, contexts, helps, page
from tests.conftest import FIXTURES, REPOSITORY, Ariba

PINNED = re.search(r"^typer==(\S+)", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE)
as_it_is_pinned = pytest.mark.skipif(
    PINNED is None or importlib.metadata.version("typer") != PINNED[1],
    reason="another version of Typer lays help out in another way",
)
HELPS = helps()
NAMES = [title.removeprefix("ariba ") for title in HELPS if " " in title]


def examples(text: str) -> list[str]:
    """The command lines that a help shows."""
    found = re.search(r"^  Examples?:\n((?:    .*\n?)+)", text, flags=re.MULTILINE)
    return found[1].replace("\\\n", " ").strip().splitlines() if found else []


@pytest.mark.parametrize("name", NAMES)
def test_a_command_says_what_it_does_and_how_it_ends(name: str) -> None:
    text = HELPS[f"ariba {name}"]
    assert text.startswith(f"Usage: ariba {name} ")
    assert "\n  Exit codes: 0 " in text
    assert name == "completion" or examples(text)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert all(line.isprintable() for line in text.splitlines())


@pytest.mark.parametrize("name", SECTIONS)
def test_every_option_of_a_command_with_many_has_its_heading(name: str) -> None:
    command = getattr(typer.main.get_command(app), "commands", {})[name]
    listed = " ".join(SECTIONS[name].values()).split()
    options = [one.name for one in command.params if one.param_type_name == "option"]
    assert sorted(listed) == sorted(options)
    assert re.findall(r"^(\S.*):$", HELPS[f"ariba {name}"], re.MULTILINE) == [
        "Arguments",
        *SECTIONS[name],
    ]


@as_it_is_pinned
def test_the_variable_of_an_option_is_called_like_it(ariba: Ariba) -> None:
    done = ariba("audit", FIXTURES / "attacked", "-f", "json", ARIBA_AUDIT_GLOBAL="no/such/model")
    assert done.returncode == 2
    assert b"no/such/model" in done.stderr


@as_it_is_pinned
@pytest.mark.parametrize("name", NAMES)
def test_every_option_and_argument_is_explained(name: str) -> None:
    command = getattr(typer.main.get_command(app), "commands", {})[name]
    for param in command.params:
        assert "." in (param.help or ""), param.name
    # A value has a name that says what it is.
    assert "<int" not in HELPS[f"ariba {name}"]
    assert "<float" not in HELPS[f"ariba {name}"]


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_what_the_command_takes(name: str) -> None:
    commands = getattr(typer.main.get_command(app), "commands", {})
    for line in examples(HELPS[f"ariba {name}"]):
        part = next(part for part in re.split(r"[|;&()]", line) if "ariba " in part)
        _, used, *words = shlex.split(part)
        # Raises where an option or a value is not known.
        commands[used].make_context(used, words)


def test_what_ends_with_1_says_so() -> None:
    assert "1 done, and a condition of --fail-on holds" in " ".join(HELPS["ariba audit"].split())
    assert "; 1 " not in HELPS["ariba inspect"]


@as_it_is_pinned
def test_the_help_of_a_terminal_is_the_one_that_is_documented(ariba: Ariba) -> None:
    for name in ("", "audit"):
        done = ariba(*name.split(), "--help", COLUMNS="80", FORCE_COLOR="1", ARIBA_AUDIT_K_EST="7")
        assert done.stdout.decode().strip() == HELPS[f"ariba {name}".strip()].strip()


@as_it_is_pinned
def test_the_page_of_commands_is_up_to_date() -> None:
    assert COMMANDS.read_text() == page(), "make docs writes it again"


def test_the_manual_pages_say_what_the_help_says(tmp_path: Path) -> None:
    man.main(tmp_path / "man")
    assert len(list((tmp_path / "man").iterdir())) == len(HELPS)
    for title, context in contexts():
        written = (tmp_path / "man" / f"{title.replace(' ', '-')}.1").read_text()
        plain = written.replace("\\-", "-").replace("\\e\n", "\n")
        for param in context.command.get_params(context):
            for option in (one for one in param.opts if one.startswith("--")):
                assert re.search(rf"^\.B .*{option}\b", plain, re.MULTILINE), option
        for line in examples(HELPS[title]):
            assert " ".join(line.split()) in " ".join(plain.split())
        assert ".SH EXIT STATUS\n0 " in written
    audit = (tmp_path / "man" / "ariba-audit.1").read_text()
    assert audit.index("false\\-discovery level") < audit.index(".SH EXAMPLES")


@pytest.mark.skipif(shutil.which("groff") is None, reason="there is no groff")
def test_the_manual_pages_can_be_set(tmp_path: Path) -> None:
    man.main(tmp_path)
    done = subprocess.run(
        ["groff", "-k", "-man", "-Tutf8", "-ww", "-z", *sorted(tmp_path.iterdir())],
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
