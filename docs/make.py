"""Write the pages again that are made of something else: `commands.md` and `detection.md`.

python -m docs.make
"""

import json
from pathlib import Path

import typer.main

from ariba_cli.cli.app import app
from benchmarks.detection import page as detection

_HERE = Path(__file__).parent
COMMANDS = _HERE / "commands.md"
DETECTION = _HERE / "detection.md"
RECORDS = _HERE / "detection.jsonl"

# That of a terminal of 80 columns, whatever this one has.
_WIDTH = 78
_HEAD = """\
# The commands

What `ariba --help` and `ariba COMMAND --help` print. This page is made by `make docs`:
to change it, change the help.
"""


def main() -> None:
    """Write the pages; that of detection once there is a run to report."""
    COMMANDS.write_text(page(), encoding="utf-8")
    if RECORDS.exists():
        DETECTION.write_text(detection_page(), encoding="utf-8")


def detection_page() -> str:
    """The page of what was detected, of the records beside it."""
    return detection.page([json.loads(line) for line in RECORDS.read_bytes().splitlines()])


def page() -> str:
    """The page of commands."""
    sections = [_HEAD]
    for title, text in helps().items():
        sections.append(f"## {title}\n\n```text\n{text}\n```\n")
    return "\n".join(sections)


def helps() -> dict[str, str]:
    """The help of `ariba`, and of each of its commands in the order in which it lists them."""
    group = typer.main.get_command(app)
    with group.make_context("ariba", [], resilient_parsing=True, terminal_width=_WIDTH) as context:
        shown = {"ariba": context.get_help()}
        commands = getattr(group, "commands", {})
        for name, command in commands.items():
            with command.make_context(
                name, [], parent=context, resilient_parsing=True, terminal_width=_WIDTH
            ) as own:
                shown[f"ariba {name}"] = own.get_help()
    return shown


if __name__ == "__main__":
    main()
