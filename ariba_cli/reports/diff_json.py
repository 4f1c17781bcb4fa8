"""The comparison of two reports → JSON, schema `diff-2.0.0`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ariba_cli.base.findings import Finding
from ariba_cli.reports.canonical import RunRecord, document, rounded_all
from ariba_cli.reports.history_report import HistoryReport
from ariba_cli.reports.report import Report
from ariba_cli.verdicts.comparison import Comparison, Movement
from ariba_cli.verdicts.ranked import Ranked

SCHEMA_VERSION = "2.0.0"


def diff_json(
    comparison: Comparison,
    first: Report | HistoryReport,
    second: Report | HistoryReport,
    run: RunRecord,
) -> bytes:
    """Return the bytes of the document; the words of findings are not part of its result."""
    detectors = (first.verdict.decision.detector, second.verdict.decision.detector)
    result = {
        "first": _which(first),
        "second": _which(second),
        "same": comparison.same,
        "participants": [_movement(one, *detectors) for one in comparison.participants],
        "entered": list(comparison.entered),
        "left": list(comparison.left),
        "only_in_first": list(comparison.only_in_first),
        "only_in_second": list(comparison.only_in_second),
        "parameters": [asdict(one) for one in comparison.parameters],
        "new_findings": _findings(comparison.new),
        "gone_findings": _findings(comparison.gone),
    }
    words = {
        "new_findings": [one.detail for one in comparison.new],
        "gone_findings": [one.detail for one in comparison.gone],
    }
    return document(SCHEMA_VERSION, rounded_all(result), run, parts={"words": words})


def _which(report: Report | HistoryReport) -> dict[str, Any]:
    """Return the identity of a report, wherever its file lies."""
    return {"schema_version": report.schema_version, "result_sha256": report.result_sha256}


def _findings(several: Sequence[Finding]) -> list[dict[str, Any]]:
    found = [asdict(one) for one in several]
    for one in found:
        del one["detail"]
    return found


def _movement(one: Movement, detector: str, later: str) -> dict[str, Any]:
    places = {"first": _place(one.first, detector), "second": _place(one.second, later)}
    return {"id": one.id, "moved": one.moved, **places}


def _place(ranked: Ranked | None, detector: str) -> dict[str, Any] | None:
    if ranked is None:
        return None
    return {
        "rank": ranked.rank,
        "score": ranked.score,
        "share": ranked.share,
        "p_value": ranked.p_value,
        "named": ranked.named,
        "detector": detector,
    }
