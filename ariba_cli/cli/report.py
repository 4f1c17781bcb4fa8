"""`ariba report`: write a report of an audit in another format, without its round."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.base.interrupts import defer_signals
from ariba_cli.cli.options import shared as options
from ariba_cli.cli.options.groups import grouped

if TYPE_CHECKING:
    from ariba_cli.cli.console import Console
    from ariba_cli.reports.history_report import Lines
    from ariba_cli.reports.report import Report


class ReportFormat(StrEnum):
    """The format of a report."""

    TABLE = "table"
    HTML = "html"
    CSV = "csv"
    MARKDOWN = "markdown"
    SHA256SUMS = "sha256sums"
    INTOTO = "intoto"
    DSSE = "dsse"
    SARIF = "sarif"


@grouped
def report(
    report_path: options.ReportArgument,
    format_: Annotated[
        ReportFormat,
        typer.Option(
            "--format",
            "-f",
            help="The format to write. table: as ariba audit prints it. html: one page, with "
            "pictures if the audit used --evidence. csv: the ranking. markdown: a summary for "
            "a ticket. sha256sums: the hash of every input, for sha256sum -c in the round. "
            "intoto: an unsigned in-toto Statement about the inputs. dsse: the same in an "
            "envelope for signatures. sarif: who is named and what was found, for tools that "
            "collect scanner results.",
        ),
    ] = ReportFormat.TABLE,
    output: options.OutputOption = None,
    messages: options.Messages = options.MESSAGES,
) -> None:
    """Convert a report to another format, without reading its round.

    The input is a JSON report; its result_sha256 is checked first. If the input is JSON lines of
    several rounds, table and html show all rounds together. The formats sha256sums, intoto and
    dsse need a report that was made with --verify-seal, because only then was every file in the
    seal hashed; ariba convert seals any round. The Statement says that an audit of these files
    gave this result. ariba does not sign it: sign the intoto form with cosign attest-blob
    --statement, or the dsse form with a library for envelopes.

    Exit codes: 0 written; 2 not written.

    Example: ariba audit runs/demo/attacked --verify-seal -f json -o report.json

    Example: ariba report report.json -f html -o report.html

    Example: ariba report report.json -f sha256sums | (cd runs/demo/attacked; sha256sum -c)
    """
    with defer_signals():
        from ariba_cli.cli.output import deliver
        from ariba_cli.reports.history_report import lines_in
        from ariba_cli.reports.report import content_of, read_data, report_of

    if format_ is ReportFormat.TABLE:
        options.check_holds_table(output, ReportFormat)
    console = messages.console()
    console.detail(f"reading {report_path}")
    written, name = read_data(report_path), f"'{report_path}'"
    lines = lines_in(written, name)
    if lines is not None:
        deliver(_of_lines(lines, format_, console, for_file=output is not None), output, console)
        return
    content = content_of(written, name)
    found = report_of(content, name=name)
    for_file = output is not None
    if format_ in (ReportFormat.TABLE, ReportFormat.CSV):
        data = _as_audit_does(found, format_, console, for_file=for_file)
    else:
        for_terminal = console.on_terminal and not for_file
        data = _encoded(found, content, format_, for_terminal=for_terminal)
    deliver(data, output, console)


def _of_lines(
    lines: "Lines", format_: ReportFormat, console: "Console", *, for_file: bool
) -> bytes:
    """Return the table or the page of all rounds together.

    Raises
    ------
    InputError
        When there is no line about all together.
    UsageError
        When another format is asked for.
    """
    if lines.history is None:
        raise InputError(
            "the report has a line for each round, but none about all together: that takes four "
            "rounds in order, audited at a level; give one line to write that round"
        )
    if format_ is ReportFormat.TABLE:
        from ariba_cli.reports.history_table import history_table

        paper = console.paper(for_file=for_file)
        return paper.encode(history_table(lines.history.verdict, paper))
    if format_ is ReportFormat.HTML:
        from ariba_cli.reports.html.history import history_html

        return history_html(lines.history)
    raise UsageError(
        f"{format_.value} holds one round, and the report has lines of several; use table or html, "
        "or give one line"
    )


def _as_audit_does(
    report: "Report", format_: ReportFormat, console: "Console", *, for_file: bool
) -> bytes:
    from ariba_cli.cli.output import Stopwatch
    from ariba_cli.cli.verdicts import AuditFormat, Verdicts

    verdicts = Verdicts(
        AuditFormat(format_.value), console, several=False, for_file=for_file, reproducible=False
    )
    return verdicts.encode(Path(report.run.round or "."), report.verdict, Stopwatch())


def _encoded(
    report: "Report", content: dict[str, Any], format_: ReportFormat, *, for_terminal: bool
) -> bytes:
    if format_ is ReportFormat.HTML:
        from ariba_cli.reports.html.page import audit_html

        return audit_html(report)
    if format_ is ReportFormat.MARKDOWN:
        from ariba_cli.reports.audit_markdown import audit_markdown

        return audit_markdown(report).encode()
    if format_ is ReportFormat.SHA256SUMS:
        from ariba_cli.reports.sha256sums import sha256sums_of_inputs

        return sha256sums_of_inputs(report.verdict, for_terminal=for_terminal)
    if format_ is ReportFormat.SARIF:
        from ariba_cli.reports.sarif import audit_sarif

        return audit_sarif(report)
    from ariba_cli.reports.intoto import dsse_envelope, intoto_statement

    encode = dsse_envelope if format_ is ReportFormat.DSSE else intoto_statement
    return encode(report.verdict, content)
