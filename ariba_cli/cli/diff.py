"""`ariba diff`: the participants that moved between two reports."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ariba_cli.base.errors import InputError
from ariba_cli.base.interrupts import defer_signals
from ariba_cli.cli.exits import Exit
from ariba_cli.cli.options import shared as options
from ariba_cli.cli.options.groups import grouped

if TYPE_CHECKING:
    from ariba_cli.reports.history_report import HistoryReport, Lines
    from ariba_cli.reports.report import Report


class DiffFormat(StrEnum):
    """The format of a comparison."""

    TABLE = "table"
    JSON = "json"


@grouped
def diff(
    first_path: Annotated[
        Path,
        typer.Argument(metavar="A.json", help="The first report of ariba audit -f json."),
    ],
    second_path: Annotated[Path, typer.Argument(metavar="B.json", help="The second report.")],
    format_: Annotated[
        DiffFormat,
        typer.Option("--format", "-f", help="The format of the differences."),
    ] = DiffFormat.TABLE,
    output: options.OutputOption = None,
    reproducible: options.ReproducibleOption = False,
    messages: options.Messages = options.MESSAGES,
) -> None:
    """Show what changed between two reports, of two rounds or of one round audited in two ways.

    If the reports are JSON lines of several rounds, the command compares the verdicts on all
    rounds together.

    The differences are: who is newly named or no longer named, whose rank changed, who appears in
    one report only, and which parameters and findings differ. Scores that changed without a change
    of rank are only in the JSON.

    Exit codes: 0 the named participants and the ranking are the same; 1 they differ; 2 a report
    cannot be read.

    Example: ariba diff round_41.json round_42.json

    Example: ariba diff conv1.json conv2.json -f json
    """
    with defer_signals():
        from ariba_cli.cli.output import Stopwatch, deliver
        from ariba_cli.reports.history_report import lines_in
        from ariba_cli.reports.report import parse_report, read_data
        from ariba_cli.verdicts.comparison import compare, compare_histories

    if format_ is DiffFormat.TABLE:
        options.check_holds_table(output, DiffFormat)
    stopwatch = Stopwatch()
    console = messages.console()
    console.detail(f"reading {first_path} and {second_path}")
    names = [f"'{path}'" for path in (first_path, second_path)]
    written = [read_data(path) for path in (first_path, second_path)]
    lines = [lines_in(data, name) for data, name in zip(written, names, strict=True)]
    first: Report | HistoryReport
    second: Report | HistoryReport
    if lines == [None, None]:
        first, second = (
            parse_report(data, name=name) for data, name in zip(written, names, strict=True)
        )
        found = compare(first.verdict, second.verdict)
    else:
        first, second = map(_of_all, lines, (first_path, second_path))
        found = compare_histories(first.verdict, second.verdict)
    if format_ is DiffFormat.JSON:
        from ariba_cli.reports.diff_json import diff_json

        data = diff_json(found, first, second, stopwatch.record(reproducible=reproducible))
    else:
        from ariba_cli.reports.diff_table import diff_table

        paper = console.paper(for_file=output is not None)
        data = paper.encode(diff_table(found, paper, (str(first_path), str(second_path))))
    deliver(data, output, console)
    if not found.same:
        raise typer.Exit(Exit.DIFFERENT)


def _of_all(lines: "Lines | None", path: Path) -> "HistoryReport":
    """Return the verdict on all rounds together.

    Raises
    ------
    InputError
        When there is none.
    """
    if lines is None or lines.history is None:
        raise InputError(
            f"'{path}' is a report on one round, and the other has lines about several; give two "
            "reports of one kind"
        )
    return lines.history
