"""The strategies of an attack → the table of their actions, needs and arguments."""

from typing import TYPE_CHECKING

from ariba_cli.attacks.strategies import STRATEGIES
from ariba_cli.base.declared import Argument
from ariba_cli.reports.text import Paper, plain_table, render, sentence

if TYPE_CHECKING:
    from rich.console import RenderableType


def strategies_table(paper: Paper) -> str:
    """Return every strategy with its action and its needs, and the arguments of each."""
    from rich.text import Text

    table = plain_table(
        ("strategy", "left"), ("works on", "left"), ("does", "left"), ("needs", "left")
    )
    arguments = plain_table(("argument", "left"), ("of", "left"), ("is", "left"))
    for name, strategy in STRATEGIES.items():
        declared = strategy.declaration
        needs = ", ".join(need.value.replace("-", " ") for need in sorted(declared.needs))
        table.add_row(name, declared.stage, Text(declared.summary), needs)
        for key, one in declared.arguments.items():
            arguments.add_row(key, name, Text(_in_words(one)))
    parts: list[RenderableType] = [
        table,
        "",
        sentence(
            "Strategies are applied in this order, in whatever order you name them. One "
            "of stage forging trains nothing, and cannot be combined with one that trains."
        ),
        "",
        arguments,
        "",
        sentence("Give an argument with --strategy-arg KEY=VALUE."),
    ]
    return render(parts, paper)


def _in_words(argument: Argument) -> str:
    """Return the meaning of an argument, and its default."""
    among = f" ({', '.join(argument.choices)})" if argument.choices else ""
    return f"{argument.meaning}{among}; by default {argument.said_default}"
