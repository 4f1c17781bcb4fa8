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
            help="The directory in which a server writes rounds. It does not have to exist yet.",
        ),
    ],
    level: Annotated[
        float | None,
        typer.Option(
            metavar="ALPHA",
            help="The false-discovery level, for each round and for all together. [default: 0.05]",
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
            help="line: a sentence for each round. json: a line with the report of each round, and "
            "a line about all rounds together when their verdict names somebody new.",
        ),
    ] = WatchFormat.LINE,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="Stop with exit code 1 when this condition holds in a round, or in all rounds "
            "together. X is from 0 to 1; quote the condition in the shell. Conditions: "
            f"{conditions_in_words()}. Repeatable.",
            autocompletion=choices.conditions,
        ),
    ] = None,
    exec_: Annotated[
        str | None,
        typer.Option(
            "--exec",
            metavar="COMMAND",
            help="Instead of stopping when a condition of --fail-on holds, run this shell command. "
            "It gets the report as one line of JSON on stdin, and the environment variables "
            "ARIBA_ROUND and ARIBA_CONDITIONS. Its output goes to stderr.",
        ),
    ] = None,
    files: options.FileLimits = options.FILE_LIMITS,
    reproducible: options.ReproducibleOption = False,
    messages: options.Messages = options.MESSAGES,
) -> None:
    """Audit each round as soon as it is sealed, and all rounds together.

    Rounds that exist already come first. A round without a seal is still being written, so the
    command waits for the seal. If a round cannot be audited, stderr says so, and the command waits
    for the next. From four rounds on, evidence adds up over the rounds in which a participant took
    part. Stop the command with Ctrl-C; it also stops when a condition holds.

    Exit codes: 0 the reader of its output is gone; 1 a condition of --fail-on holds; 2 the
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
