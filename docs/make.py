"""Write the help of all commands into `commands.md` again.

python -m docs.make
"""

from pathlib import Path

import typer.main

from ariba_cli.cli.app import app

COMMANDS = Path(__file__).parent / "commands.md"

# That of a terminal of 80 columns, whatever this one has.
_WIDTH = 78
_HEAD = """\
# The commands

What `ariba --help` and `ariba COMMAND --help` print. This page is made by `make docs`:
to change it, change the help.
"""


def main() -> None:
    """Write the page."""
    COMMANDS.write_text(page(), encoding="utf-8")


def page() -> str:
    """The page."""
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
