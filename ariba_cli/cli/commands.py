"""The commands of `ariba`, each of which is imported when it is asked for."""

import os
from collections import Counter, UserDict
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup, TyperOption

from ariba_cli.base.errors import UsageError
from ariba_cli.cli.defaults import VARIABLE, find_config, note_in_effect
from ariba_cli.cli.help import exit_codes, help_text
from ariba_cli.cli.options.shared import MESSAGES
from ariba_cli.cli.sections import SectionedCommand, long_name, name_variables

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
    "prune": "Remove dormant channels from a model.",
    "evaluate": "Measure a model's accuracy and its backdoors.",
    "arena": "Test every attack against every defence.",
    "schema": "Print the JSON Schema of a report.",
    "completion": "Print a completion script for your shell.",
}


_CONFIG = "config"
# They read nothing, and take nothing but a name.
_WITHOUT_CONFIG = frozenset({"schema", "completion"})


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


class _Command(SectionedCommand):
    """A command whose options may have their defaults in a file."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, and the file for what they leave open."""
        note_in_effect(None)
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        given, _, order = self.make_parser(ctx).parse_args(args=list(args))
        _refuse_twice(order)
        # Help and lists say the same whatever a file holds.
        if self.name in _WITHOUT_CONFIG or any(one.is_eager for one in order):
            return super().parse_args(ctx, args)
        config, warning = find_config(
            given.get(_CONFIG) or os.environ.get(VARIABLE), self._places(given), _SHORT_HELPS
        )
        if warning:
            MESSAGES.console().warn(warning)
        options = {
            long_name(one)[2:]: one
            for one in self.params
            if isinstance(one, TyperOption) and not one.is_eager and one.name != _CONFIG
        }
        values = {} if config is None else config.values(self.name or "", options)
        ctx.default_map = values
        try:
            left = super().parse_args(ctx, args)
        except typer.BadParameter as error:
            if config is not None and error.param and error.param.name in values.keys() - given:
                error.message = f"{error.message.rstrip('.')}, in '{config.path}'"
            raise
        if config is not None:
            decided = {
                name: values[one.name]
                for name, one in sorted(options.items())
                if ctx.get_parameter_source(one.name).name == "DEFAULT_MAP" and one.name in values
            }
            note_in_effect(config.record(decided))
        return left

    def _places(self, given: Mapping[str, Any]) -> Iterator[str]:
        """Yield the paths that a command is about, where others may have written."""
        for one in self.params:
            if one.param_type_name == "argument":
                value = given.get(one.name or "")
                yield from [value] if isinstance(value, str) else value or ()
        if given.get("files0_from"):
            # They are not known yet.
            yield "/"


def _refuse_twice(order: Sequence[Any]) -> None:
    """Refuse an option that has one value and was given several: only the last would count."""
    for one, times in Counter(order).items():
        if isinstance(one, TyperOption) and not one.multiple and not one.is_flag and times > 1:
            often = "twice" if times == 2 else f"{times} times"
            raise UsageError(f"{long_name(one)} is given {often}; give it once")


def _made(name: str) -> Any:
    """Return the command of a module."""
    function = getattr(import_module(f"ariba_cli.cli.{name}"), name)
    lone = typer.Typer(add_completion=False, rich_markup_mode=None)
    lone.command(
        name,
        cls=_Command,
        help=help_text(function),
        short_help=_SHORT_HELPS[name],
        context_settings=HELP_OPTIONS,
    )(function)
    command: Any = typer.main.get_command(lone)
    if name not in _WITHOUT_CONFIG:
        place = next(at for at, one in enumerate(command.params) if one.name == "color")
        command.params.insert(place, _config_option())
    variables = name_variables(command, f"ARIBA_{name.upper()}")
    command.epilog = f"{exit_codes(function)}\n\n{variables}"
    return command


def _config_option() -> TyperOption:
    return TyperOption(
        param_decls=["--config"],
        metavar="FILE",
        envvar=VARIABLE,
        show_envvar=True,
        expose_value=False,
        help="A file with defaults of options, in a table for each command, such as [audit]. "
        "[default: ariba.toml, or [tool.ariba] of pyproject.toml, in the working directory]",
    )
