"""The options that choose the aggregation rule of a server."""

from typing import TYPE_CHECKING, Annotated

import typer

from ariba_cli.cli.options import choices
from ariba_cli.cli.options.shared import listing

if TYPE_CHECKING:
    from ariba_cli.reports.text import Paper


def _rules_table(paper: "Paper") -> str:
    from ariba_cli.reports.rules_table import rules_table

    return rules_table(paper)


RuleOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="How the server aggregates: fedavg, krum, median, audit or another rule; ariba "
        "aggregate --list-rules shows all.",
        autocompletion=choices.rules,
    ),
]
RuleArgOption = Annotated[
    list[str] | None,
    typer.Option(
        "--rule-arg",
        metavar="KEY=VALUE",
        help="An argument of the rule, such as f=10. Repeatable.",
    ),
]
ListRulesOption = Annotated[
    bool,
    typer.Option(
        "--list-rules",
        callback=listing(_rules_table),
        is_eager=True,
        show_envvar=False,
        help="List all rules with what they do and take, and exit.",
    ),
]
