"""The verdict on all rounds of a run, read back from the JSON lines of an audit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.base.interrupts import defer_signals
from ariba_cli.base.visible import visible
from ariba_cli.files.strict_json import parse_object
from ariba_cli.reports.canonical import RunRecord
from ariba_cli.reports.history_json import KEY, SCHEMA_VERSION
from ariba_cli.reports.report import Report, check_hashes, report_of
from ariba_cli.verdicts.history import History, why_invalid

_MOST_QUOTED = 200
_AGAIN = "audit the run again"


@dataclass(frozen=True)
class HistoryReport:
    """The content of the last line.

    Attributes
    ----------
    verdict : History
        The verdict, with the digits that the line has.
    run : RunRecord
        The record of the run.
    schema_version : str
        The version of its schema.
    result_sha256 : str
        The hash of the canonical bytes of its result.
    """

    verdict: History
    run: RunRecord
    schema_version: str
    result_sha256: str


@dataclass(frozen=True)
class Lines:
    """The JSON lines of an audit of several rounds.

    Attributes
    ----------
    rounds : tuple of Report
        The reports on single rounds, a line each.
    history : HistoryReport, optional
        The last line, where there is one about all together.
    """

    rounds: tuple[Report, ...]
    history: HistoryReport | None


def lines_in(data: bytes, name: str) -> Lines | None:
    """Return the JSON lines in a file; None when it holds a single report on one round.

    Parameters
    ----------
    data : bytes
        The content of the file.
    name : str
        The name of the file in errors.

    Raises
    ------
    InputError
        When a line is not a report, or not as it was written.
    """
    lines = [line for line in data.splitlines() if line.strip()]
    return lines_of(lines, name) if _are_lines(lines) else None


def lines_of(lines: Sequence[bytes], name: str) -> Lines:
    """Return the content of JSON lines; see `lines_in`."""
    rounds: list[Report] = []
    history: HistoryReport | None = None
    for number, line in enumerate(lines, 1):
        which = f"line {number} of {name}"
        if history is not None:
            raise InputError(f"{which} comes after the line about all rounds together; {_AGAIN}")
        content = _content(line, which)
        if KEY in content.get("result", {}):
            history = _history_of(content, which)
        else:
            check_hashes(content, which)
            rounds.append(report_of(content, name=which))
    return Lines(tuple(rounds), history)


def parse_history(data: bytes) -> HistoryReport:
    """Return the content of a line about all rounds together."""
    return _history_of(_content(data, "the report"), "the report")


def _are_lines(lines: Sequence[bytes]) -> bool:
    """Return whether it is one JSON object a line, or the line about all rounds by itself."""
    whole = [line.startswith(b"{") and line.endswith(b"}") for line in lines]
    return bool(lines) and all(whole) and (len(lines) > 1 or f'"{KEY}"'.encode() in lines[0])


def _content(line: bytes, which: str) -> dict[str, Any]:
    try:
        content = parse_object(line, "content")
    except RefusedFileError as error:
        raise InputError(f"{which} {error}; {_AGAIN}") from error
    if not isinstance(content.get("result"), dict):
        raise InputError(f"{which} is not a report of ariba; {_AGAIN}")
    return content


def _history_of(content: dict[str, Any], which: str) -> HistoryReport:
    with defer_signals():
        import msgspec

    check_hashes(content, which, SCHEMA_VERSION)
    try:
        fields = dict(content["result"][KEY])
        details = content["words"]["findings"]
        fields["findings"] = [
            {**finding, "detail": detail}
            for finding, detail in zip(fields["findings"], details, strict=True)
        ]
        history = msgspec.convert(fields, History)
        run = msgspec.convert(content.get("run"), RunRecord)
        reason = why_invalid(history)
    except (msgspec.MsgspecError, KeyError, ValueError, TypeError, RecursionError) as error:
        reason = visible(str(error)[:_MOST_QUOTED])
    if reason:
        raise InputError(f"{which} is not a report on a run: {reason}; {_AGAIN}")
    return HistoryReport(history, run, content["schema_version"], content["result_sha256"])
