"""The output of verdicts, in any format, of one round or of several."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ariba_cli.cli.console import Console
    from ariba_cli.cli.output import Stopwatch
    from ariba_cli.reports.audit_csv import AuditCsv
    from ariba_cli.reports.canonical import RunRecord
    from ariba_cli.verdicts.history import History
    from ariba_cli.verdicts.verdict import Verdict


class AuditFormat(StrEnum):
    """The format of a verdict."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Verdicts:
    """An encoder of verdicts, one after the other, as the bytes of an output.

    Parameters
    ----------
    format_ : AuditFormat
        The format.
    console : Console
        The console for messages.
    several : bool
        True if there may be more than one, so that each names its round.
    for_file : bool
        True if they go to a file.
    reproducible : bool
        True to leave out time and duration.
    evidence : bool
        True if the evidence in a verdict is for JSON, and not for the page alone.
    explained : sequence of str
        The participants that tables explain.
    page : Path, optional
        The file of an HTML page that is written, too.
    top : int, optional
        The number of participants in tables; see `audit_table`.
    """

    def __init__(
        self,
        format_: AuditFormat,
        console: "Console",
        *,
        several: bool,
        for_file: bool,
        reproducible: bool,
        evidence: bool = False,
        explained: Sequence[str] = (),
        page: Path | None = None,
        top: int | None = None,
    ) -> None:
        self._format = format_
        self._console = console
        self._several = several
        self._for_file = for_file
        self._reproducible = reproducible
        self._evidence = evidence
        self._explained = explained
        self._page = page
        self._top = top
        self._csv: AuditCsv | None = None
        self._started = False
        # Of the round before: what has not changed is not said again.
        self._said: list[str] = []

    def encode(
        self,
        path: Path,
        verdict: "Verdict",
        stopwatch: "Stopwatch",
        sandbox: dict[str, int | bool] | None = None,
    ) -> bytes:
        """Return the bytes for the next round; the page of a single one is written right away.

        Raises
        ------
        InputError
            When it does not fit below the header of a CSV.
        OutputError
            When the page cannot be written.
        """
        run = stopwatch.record(
            reproducible=self._reproducible,
            round_path=path,
            device=", ".join(verdict.devices),
            sandbox=sandbox,
        )
        if self._page is not None and not self._several:
            self._write_page(self._page, verdict, run)
        encode = {
            AuditFormat.JSON: self._as_json,
            AuditFormat.CSV: self._as_csv,
            AuditFormat.TABLE: self._as_table,
        }[self._format]
        data = encode(path, verdict, run)
        self._started = True
        return data

    @property
    def needs_history(self) -> bool:
        """Return True if the output needs the history of all rounds together."""
        return self._several and self._page is not None

    def encode_history(self, history: "History", stopwatch: "Stopwatch") -> bytes:
        """Return the bytes for all rounds together, after the last, and write their page.

        Raises
        ------
        OutputError
            When the page cannot be written.
        """
        from ariba_cli.reports.history_json import history_json

        run = stopwatch.record(reproducible=self._reproducible)
        if self._page is not None:
            from ariba_cli.cli.output import deliver
            from ariba_cli.reports.history_report import parse_history
            from ariba_cli.reports.html.history import history_html

            report = parse_history(history_json(history, run))
            deliver(history_html(report), self._page, self._console)
        if self._format is AuditFormat.JSON:
            return history_json(history, run)
        if self._format is AuditFormat.CSV:
            from ariba_cli.reports.history_words import headline_in_words

            # Below the columns of rounds there is no place for it.
            self._console.note(headline_in_words(history))
            return b""
        from ariba_cli.reports.history_table import history_table

        paper = self._console.paper(for_file=self._for_file)
        return paper.encode("\n" + history_table(history, paper, top=self._top))

    def _write_page(self, page: Path, verdict: "Verdict", run: "RunRecord") -> None:
        """Write the content of the JSON, and nothing else, as HTML."""
        from ariba_cli.cli.output import deliver
        from ariba_cli.reports.audit_json import audit_json
        from ariba_cli.reports.html.page import audit_html
        from ariba_cli.reports.report import parse_report

        deliver(audit_html(parse_report(audit_json(verdict, run))), page, self._console)

    def _as_json(self, _: Path, verdict: "Verdict", run: "RunRecord") -> bytes:
        from msgspec.structs import replace

        from ariba_cli.reports.audit_json import audit_json

        if not self._evidence:
            verdict = replace(verdict, evidence=(), similarity=None)
        return audit_json(verdict, run, one_line=self._several)

    def _as_csv(self, path: Path, verdict: "Verdict", _: "RunRecord") -> bytes:
        from ariba_cli.reports.audit_csv import AuditCsv
        from ariba_cli.reports.finding_words import findings_in_words
        from ariba_cli.reports.words import coverage_in_words

        table = self._csv or AuditCsv(verdict, with_round=self._several)
        rows = table.rows(verdict, str(path))
        self._csv = table
        # A table of numbers has no place for what is wrong with them.
        which = f"{path}: " if self._several else ""
        for line in findings_in_words(verdict.findings, str):
            self._console.warn(which + line)
        coverage = coverage_in_words(verdict)
        if coverage not in self._said:
            self._console.note(f"{which}coverage: {coverage}")
        self._said = [coverage]
        return rows if self._started else table.header + rows

    def _as_table(self, path: Path, verdict: "Verdict", _: "RunRecord") -> bytes:
        from ariba_cli.reports.audit_table import audit_table, limits_in_words

        paper = self._console.paper(for_file=self._for_file)
        heading = str(path) if self._several else None
        between = "\n" if self._started else ""
        table = audit_table(
            verdict,
            paper,
            heading=heading,
            explained=self._explained,
            top=self._top,
            said=self._said,
        )
        self._said = limits_in_words(verdict)
        return paper.encode(between + table)
