"""`ariba inspect`: what is in a file or a round."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ariba_cli.cli import options
from ariba_cli.cli.signals import held_back


class InspectFormat(StrEnum):
    """How the contents are written."""

    TABLE = "table"
    JSON = "json"


def inspect(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="A model file, or the directory of one round."),
    ],
    format_: Annotated[
        InspectFormat,
        typer.Option(
            "--format", "-f", envvar="ARIBA_INSPECT_FORMAT", help="How to write what is found."
        ),
    ] = InspectFormat.TABLE,
    output: options.OutputOption = None,
    reproducible: options.ReproducibleOption = False,
    color: options.ColorOption = options.Color.AUTO,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Show what is in a model file or a round: seal, participants, layers, norms, findings.

    Every file is read whole, and compared with the seal where there is one.

    Example: ariba inspect runs/demo/attacked
    """
    with held_back():
        from ariba_cli.cli.output import Stopwatch, deliver
        from ariba_cli.inspection import InspectedFile, InspectedRound, inspect_file, inspect_round
        from ariba_cli.rounds.directory import open_round

    stopwatch = Stopwatch()
    console = options.make_console(color, quiet, verbose)
    found: InspectedFile | InspectedRound
    console.detail(f"reading {path}")
    if os.path.lexists(path) and not os.path.isdir(path):
        found = inspect_file(path)
    else:
        with console.progress() as progress:
            found = inspect_round(open_round(path), progress)
    if format_ is InspectFormat.JSON:
        from ariba_cli.reports.inspect_json import inspect_json

        data = inspect_json(found, stopwatch.record(reproducible=reproducible))
    else:
        from ariba_cli.reports.inspect_table import inspect_table

        paper = console.paper(for_file=output is not None)
        data = paper.encode(inspect_table(found, paper))
    deliver(data, output, console)
