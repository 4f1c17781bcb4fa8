"""`ariba watch`: audit each round of a running federation as it is sealed."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ariba_cli.base.interrupts import defer_signals
from ariba_cli.cli.exits import Exit
from ariba_cli.cli.options import choices
from ariba_cli.cli.options import shared as options
from ariba_cli.cli.options.conditions import conditions_in_words, parse_condition
from ariba_cli.cli.options.groups import grouped


class WatchFormat(StrEnum):
    """The format of the reports."""

    LINE = "line"
    JSON = "json"


@grouped
def watch(
    root: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="The directory in which a server writes rounds; it need not be there yet.",
        ),
    ],
    level: Annotated[
        float | None,
        typer.Option(
            metavar="ALPHA",
            help="The false-discovery level, of each round and of all together. [default: 0.05]",
        ),
    ] = None,
    interval: Annotated[
        float,
        options.number(metavar="SECONDS", least=0.1, help="How often to look for rounds."),
    ] = 5.0,
    format_: Annotated[
        WatchFormat,
        typer.Option(
            "--format",
            "-f",
            envvar="ARIBA_WATCH_FORMAT",
            help="line, a line in words for each round; or json, its report in one line, and one "
            "about all rounds together whenever these name others than before.",
        ),
    ] = WatchFormat.LINE,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="End with 1 when it holds in a round, or in all together, with X from 0 to 1 and "
            f"in quotes for the shell: {conditions_in_words()}. Repeatable.",
            autocompletion=choices.conditions,
        ),
    ] = None,
    exec_: Annotated[
        str | None,
        typer.Option(
            "--exec",
            metavar="COMMAND",
            help="Do not end when a condition of --fail-on holds, but run this in a shell, with "
            "the report as one line of JSON on its stdin, and ARIBA_ROUND and ARIBA_CONDITIONS in "
            "its environment. What it prints goes to stderr.",
        ),
    ] = None,
    files: options.FileLimits = options.FILE_LIMITS,
    reproducible: options.ReproducibleOption = False,
    messages: options.Messages = options.MESSAGES,
) -> None:
    """Audit each round as it is sealed, and all of them together.

    Rounds that are there already come first. A round is audited when it has its seal, and so
    not while it is written; one that cannot be audited is an error on stderr, and the next is
    waited for. From four rounds on evidence adds up over those in which a participant took
    part. It ends by Ctrl-C, or when a condition holds.

    Exit codes: 0 whoever read its output has gone; 1 a condition of --fail-on holds; 2 the
    directory cannot be watched

    Example: ariba watch runs/live

    Example: ariba watch runs/live -f json --fail-on flagged --exec 'mail -s alarm me@example.org'
    """
    with defer_signals():
        from ariba_cli.cli.watching import Watching
        from ariba_cli.files.objects import located
        from ariba_cli.rounds.arriving import ArrivingRounds

    console = messages.console()
    conditions = [parse_condition(text) for text in fail_on or ()]
    terms = files.read_options(None, console)
    watching = Watching(
        asked={
            "level": level,
            "options": terms,
            "verify_seal": any(one.needs_seal for one in conditions),
            "notice": console.note,
        },
        as_json=format_ is WatchFormat.JSON,
        reproducible=reproducible,
        conditions=conditions,
        command=exec_,
        console=console,
    )
    # Stores have no way to wait: it is an error there.
    root = located(root)
    arriving = ArrivingRounds(root, terms.limits)
    if not root.is_dir():
        console.note(f"there is no directory '{root}' yet; waiting for it")
    while True:
        for path in arriving.new():
            watching.take(path)
            if watching.ended:
                raise typer.Exit(Exit.CONDITION_HOLDS if watching.holding else Exit.COMPLETED)
        time.sleep(interval)
