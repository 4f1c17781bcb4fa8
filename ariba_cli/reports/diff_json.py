"""The comparison of two reports → JSON, schema `diff-1.0.0`."""

from dataclasses import asdict
from typing import Any

from ariba_cli.reports.canonical import RunRecord, document, rounded
from ariba_cli.reports.report import Report
from ariba_cli.verdicts.comparison import Comparison, Movement
from ariba_cli.verdicts.verdict import Ranked

SCHEMA_VERSION = "1.0.0"


def diff_json(comparison: Comparison, first: Report, second: Report, run: RunRecord) -> bytes:
    """The bytes of the document."""
    result = {
        "first": _which(first),
        "second": _which(second),
        "same": comparison.same,
        "participants": [_movement(one) for one in comparison.participants],
        "entered": list(comparison.entered),
        "left": list(comparison.left),
        "only_in_first": list(comparison.only_in_first),
        "only_in_second": list(comparison.only_in_second),
        "parameters": [asdict(one) for one in comparison.parameters],
        "new_findings": [asdict(one) for one in comparison.new],
        "gone_findings": [asdict(one) for one in comparison.gone],
    }
    return document(SCHEMA_VERSION, result, run)


def _which(report: Report) -> dict[str, Any]:
    """Which report it is, wherever its file lies."""
    return {"schema_version": report.schema_version, "result_sha256": report.result_sha256}


def _movement(one: Movement) -> dict[str, Any]:
    places = {"first": _place(one.first), "second": _place(one.second)}
    return {"id": one.id, "moved": one.moved, **places}


def _place(ranked: Ranked | None) -> dict[str, Any] | None:
    if ranked is None:
        return None
    return {
        "rank": ranked.rank,
        "score": ranked.score,
        "share": rounded(ranked.share),
        "suspect": ranked.suspect,
    }
