"""A verdict → the JSON report, schema `audit-1.2.0`."""

from dataclasses import asdict
from typing import Any

from ariba_cli.reports.canonical import RunRecord, document, rounded_all
from ariba_cli.reports.words import coverage_in_words
from ariba_cli.verdicts.verdict import TruthMetrics, Verdict

SCHEMA_VERSION = "1.2.0"


def audit_json(verdict: Verdict, run: RunRecord, *, one_line: bool = False) -> bytes:
    """The bytes of the report."""
    evidence = rounded_all([asdict(layer) for layer in verdict.evidence])
    return document(
        SCHEMA_VERSION, audit_result(verdict), run, evidence=evidence, one_line=one_line
    )


def audit_result(verdict: Verdict) -> dict[str, Any]:
    """The `result` of the report: what depends on the round and the parameters alone."""
    result = {
        "method": asdict(verdict.method),
        "inputs": [asdict(input_) for input_ in verdict.inputs],
        "layers": [asdict(layer) for layer in verdict.layers],
        "ranking": [asdict(ranked) for ranked in verdict.ranking],
        "tie_at_cut": verdict.tie_at_cut,
        "coverage": {**asdict(verdict.coverage), "in_words": coverage_in_words(verdict)},
        "findings": [asdict(finding) for finding in verdict.findings],
        "stability": asdict(verdict.stability) if verdict.stability is not None else None,
    }
    if verdict.evaluation is not None:
        result["evaluation"] = _evaluation(verdict.evaluation)
    rounded: dict[str, Any] = rounded_all(result)
    if verdict.method.asked is not None:
        # With these the audit is run again.
        rounded["method"]["asked"]["detector_arguments"] = verdict.method.asked.detector_arguments
    return rounded


def _evaluation(evaluation: TruthMetrics) -> dict[str, Any]:
    return {
        "compromised": evaluation.compromised,
        "p_m": evaluation.caught,
        "confidence": evaluation.confidence,
        "confidence_paper": evaluation.confidence_paper,
        "auc": evaluation.auc,
    }
