"""The options that choose the aggregation rule of a server."""

from typing import Annotated

import typer

from ariba_cli.cli.options import choices
from ariba_cli.cli.options.shared import MESSAGES


def _list_rules(context: typer.Context, wanted: bool) -> None:
    # Not while a shell completes what follows.
    if wanted and not context.resilient_parsing:
        from ariba_cli.reports.rules_table import rules_table

        console = MESSAGES.console()
        paper = console.paper(for_file=False)
        console.data(paper.encode(rules_table(paper)))
        raise typer.Exit


RuleOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="How the server aggregates: fedavg, krum, median, audit and others; "
        "ariba aggregate --list-rules shows all.",
        autocompletion=choices.rules,
    ),
]
RuleArgOption = Annotated[
    list[str] | None,
    typer.Option(
        "--rule-arg",
        metavar="KEY=VALUE",
        help="An argument of the rule, as f=10. Repeatable.",
        show_default=False,
    ),
]
ListRulesOption = Annotated[
    bool,
    typer.Option(
        "--list-rules",
        callback=_list_rules,
        is_eager=True,
        show_envvar=False,
        help="Show all rules with what they do and take, and exit.",
    ),
]
