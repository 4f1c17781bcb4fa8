"""The verdict on all rounds of a run → the last of the JSON lines, schema `history-1.0.0`."""

from typing import Any

from ariba_cli.reports.canonical import RunRecord, document, rounded_all
from ariba_cli.reports.history_words import headline_in_words
from ariba_cli.verdicts.history import History
from ariba_cli.verdicts.verdict import plain

SCHEMA_VERSION = "1.0.0"
# Under it stands in the result what stands under no key of a report on one round.
KEY = "history"


def history_json(history: History, run: RunRecord, *, one_line: bool = True) -> bytes:
    """Return the bytes of the report, which is a line unless it is shown by itself."""
    words = {
        "headline": headline_in_words(history),
        "findings": [finding.detail for finding in history.findings],
    }
    result = {KEY: history_result(history)}
    return document(SCHEMA_VERSION, result, run, parts={"words": words}, one_line=one_line)


def history_result(history: History) -> dict[str, Any]:
    """Return the part that depends on the rounds alone: codes, ids and numbers."""
    found = plain(history)
    for finding in found["findings"]:
        del finding["detail"]
    found["decision"] = _given(found["decision"])
    found["ranking"] = [_given(one) for one in found["ranking"]]
    rounded: dict[str, Any] = rounded_all(found)
    return rounded


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}
