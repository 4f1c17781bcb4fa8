"""How verdicts go out, in any format, of one round or of several."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ariba_cli.cli.console import Console
    from ariba_cli.cli.output import Stopwatch
    from ariba_cli.reports.audit_csv import AuditCsv
    from ariba_cli.verdict import Verdict


class AuditFormat(StrEnum):
    """How a verdict is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Verdicts:
    """Turns verdicts into the bytes of an output, one after the other.

    Parameters
    ----------
    several : whether there may be more than one, so that each says which round it is of.
    for_file : whether they go to a file.
    reproducible : whether time and duration are left out.
    """

    def __init__(
        self,
        format_: AuditFormat,
        console: "Console",
        *,
        several: bool,
        for_file: bool,
        reproducible: bool,
    ) -> None:
        self._format = format_
        self._console = console
        self._several = several
        self._for_file = for_file
        self._reproducible = reproducible
        self._csv: AuditCsv | None = None
        self._started = False

    def encode(self, path: Path, verdict: "Verdict", stopwatch: "Stopwatch") -> bytes:
        """What is to be written for the next round.

        Raises
        ------
        InputError
            When it does not fit below the header of a CSV.
        """
        encode = {
            AuditFormat.JSON: self._as_json,
            AuditFormat.CSV: self._as_csv,
            AuditFormat.TABLE: self._as_table,
        }[self._format]
        data = encode(path, verdict, stopwatch)
        self._started = True
        return data

    def _as_json(self, path: Path, verdict: "Verdict", stopwatch: "Stopwatch") -> bytes:
        from ariba_cli.reports.audit_json import audit_json

        run = stopwatch.record(
            reproducible=self._reproducible, round_path=path, device=", ".join(verdict.devices)
        )
        return audit_json(verdict, run, one_line=self._several)

    def _as_csv(self, path: Path, verdict: "Verdict", _: "Stopwatch") -> bytes:
        from ariba_cli.reports.audit_csv import AuditCsv
        from ariba_cli.reports.words import coverage_in_words, findings_in_words

        table = self._csv or AuditCsv(verdict, with_round=self._several)
        rows = table.rows(verdict, str(path))
        self._csv = table
        # A table of numbers has no place for what is wrong with them.
        which = f"{path}: " if self._several else ""
        for line in findings_in_words(verdict.findings):
            self._console.warn(which + line)
        self._console.note(f"{which}coverage: {coverage_in_words(verdict)}")
        return rows if self._started else table.header + rows

    def _as_table(self, path: Path, verdict: "Verdict", _: "Stopwatch") -> bytes:
        from ariba_cli.reports.audit_table import audit_table

        paper = self._console.paper(for_file=self._for_file)
        heading = str(path) if self._several else None
        between = "\n" if self._started else ""
        return paper.encode(between + audit_table(verdict, paper, heading=heading))
