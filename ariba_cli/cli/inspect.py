"""`ariba inspect`: show the contents of a file or a round."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ariba_cli.base.interrupts import defer_signals
from ariba_cli.cli.options import shared as options
from ariba_cli.cli.options.groups import grouped


class InspectFormat(StrEnum):
    """The format of the contents."""

    TABLE = "table"
    JSON = "json"


@grouped
def inspect(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="A model (a file, or a folder with shards or an adapter), or the directory of one "
            "round.",
        ),
    ],
    format_: Annotated[
        InspectFormat,
        typer.Option("--format", "-f", help="The format of the output."),
    ] = InspectFormat.TABLE,
    names: options.NamesOption = None,
    global_model: options.GlobalOption = None,
    sha256sums: Annotated[
        bool,
        typer.Option(
            "--sha256sums",
            help="Print only the hashes in the seal. Check them with sha256sum -c in the round.",
        ),
    ] = False,
    files: options.FileLimits = options.FILE_LIMITS,
    output: options.OutputOption = None,
    reproducible: options.ReproducibleOption = False,
    messages: options.Messages = options.MESSAGES,
) -> None:
    """Show what is in a model or a round: seal, participants, layers, norms, findings.

    Every file is read completely, and compared with the seal if there is one.

    Example: ariba inspect runs/demo/attacked

    Example: ariba inspect runs/demo/attacked --sha256sums | (cd runs/demo/attacked; sha256sum -c)
    """
    with defer_signals():
        from ariba_cli.cli.output import Stopwatch, deliver
        from ariba_cli.files.objects import located
        from ariba_cli.reports.sha256sums import sha256sums as list_hashes
        from ariba_cli.rounds.directory import check_apart, is_one_model, open_round
        from ariba_cli.rounds.inspection import (
            InspectedFile,
            InspectedRound,
            inspect_file,
            inspect_round,
        )

    if format_ is InspectFormat.TABLE and not sha256sums:
        options.check_holds_table(output, InspectFormat)
    stopwatch = Stopwatch()
    console = messages.console()
    terms = files.read_options(names, console)
    path = located(path)
    console.detail(f"reading {path}")
    if output is not None:
        check_apart(path, output)
    if sha256sums:
        for_terminal = output is None and console.on_terminal
        deliver(list_hashes(open_round(path, terms), for_terminal=for_terminal), output, console)
        return
    found: InspectedFile | InspectedRound
    if is_one_model(path, terms):
        found = inspect_file(path, terms)
    else:
        not_models = options.paths(names)
        round_ = open_round(path, terms, global_path=global_model, not_models=not_models)
        with console.progress() as progress:
            found = inspect_round(round_, progress)
    if format_ is InspectFormat.JSON:
        from ariba_cli.reports.inspect_json import inspect_json

        data = inspect_json(
            found, stopwatch.record(reproducible=reproducible, sandbox=terms.isolation.record)
        )
    else:
        from ariba_cli.reports.inspect_table import inspect_table

        paper = console.paper(for_file=output is not None)
        data = paper.encode(inspect_table(found, paper))
    deliver(data, output, console)
