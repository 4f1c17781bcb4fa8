"""A verdict → the JSON report, schema `audit-1.1.0`."""

from dataclasses import asdict
from typing import Any

from ariba_cli.reports.canonical import RunRecord, document, rounded
from ariba_cli.reports.words import coverage_in_words
from ariba_cli.verdict import Evaluation, Method, Verdict

SCHEMA_VERSION = "1.1.0"


def audit_json(verdict: Verdict, run: RunRecord, *, one_line: bool = False) -> bytes:
    """The bytes of the report."""
    return document(SCHEMA_VERSION, audit_result(verdict), run, one_line=one_line)


def audit_result(verdict: Verdict) -> dict[str, Any]:
    """The `result` of the report: what depends on the round and the parameters alone."""
    result = {
        "method": _method(verdict.method),
        "inputs": [asdict(input_) for input_ in verdict.inputs],
        "layers": [
            {
                **asdict(layer),
                "cut_distance": rounded(layer.cut_distance),
                "cut_margin": rounded(layer.cut_margin),
            }
            for layer in verdict.layers
        ],
        "ranking": [
            {
                **asdict(ranked),
                "share": rounded(ranked.share),
                "shares": {layer: rounded(share) for layer, share in ranked.shares.items()},
            }
            for ranked in verdict.ranking
        ],
        "tie_at_cut": verdict.tie_at_cut,
        "coverage": {**asdict(verdict.coverage), "in_words": coverage_in_words(verdict)},
        "findings": [asdict(finding) for finding in verdict.findings],
    }
    if verdict.evaluation is not None:
        result["evaluation"] = _evaluation(verdict.evaluation)
    return result


def _method(method: Method) -> dict[str, Any]:
    parameters = {
        key: rounded(value) if isinstance(value, float) else value
        for key, value in method.detector_parameters.items()
    }
    return {**asdict(method), "detector_parameters": parameters}


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "compromised": list(evaluation.compromised),
        "p_m": rounded(evaluation.caught),
        "confidence": rounded(evaluation.confidence),
        "confidence_paper": rounded(evaluation.confidence_paper),
        "auc": None if evaluation.auc is None else rounded(evaluation.auc),
    }
