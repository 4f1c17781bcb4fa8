"""The commands of `ariba`, each of which is imported when it is asked for."""

from collections import UserDict
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from ariba_cli.cli.help import exit_codes, help_text
from ariba_cli.cli.sections import SectionedCommand, name_variables

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}

# By the name of the command, of its module and of its function, in the order of the help.
_SHORT_HELPS = {
    "simulate": "Train a federation and write its rounds.",
    "attack": "Compromise participants of a saved round.",
    "convert": "Rewrite a directory of updates as a sealed round.",
    "inspect": "Show what a file or a round contains.",
    "audit": "Say who stands out in a round, and why.",
    "watch": "Audit each round while a federation runs.",
    "report": "Convert a report to another format.",
    "verify": "Repeat an audit and compare it with its report.",
    "diff": "Show what changed between two reports.",
    "aggregate": "Average the updates of a round, without its suspects.",
    "evaluate": "Measure a model's accuracy and its backdoors.",
    "arena": "Test every attack against every defence.",
    "schema": "Print the JSON Schema of a report.",
    "completion": "Print a completion script for your shell.",
}


class Commands(TyperGroup):
    """The group of all commands."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = _Imported()


class _Imported(UserDict[str, Any]):
    """The commands by name; one that is taken is imported then, and no other."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(_SHORT_HELPS))

    def __getitem__(self, name: str) -> Any:
        """Return a command of Typer's."""
        if self.data[name] is None:
            self.data[name] = _made(name)
        return self.data[name]


def _made(name: str) -> Any:
    """Return the command of a module."""
    function = getattr(import_module(f"ariba_cli.cli.{name}"), name)
    lone = typer.Typer(add_completion=False, rich_markup_mode=None)
    lone.command(
        name,
        cls=SectionedCommand,
        help=help_text(function),
        short_help=_SHORT_HELPS[name],
        context_settings=HELP_OPTIONS,
    )(function)
    command: Any = typer.main.get_command(lone)
    variables = name_variables(command, f"ARIBA_{name.upper()}")
    command.epilog = f"{exit_codes(function)}\n\n{variables}"
    return command
