"""A verdict → the JSON report, schema `audit-2.0.0`."""

import hashlib
from typing import Any

from ariba_cli.reports.canonical import RunRecord, canonical_bytes, document, rounded_all
from ariba_cli.reports.words import coverage_in_words, headline_in_words
from ariba_cli.verdicts.verdict import Verdict, plain

SCHEMA_VERSION = "2.0.0"

# What of a verdict is no part of the result.
_BESIDE = ("similarity", "evidence", "devices", "run")


def audit_json(verdict: Verdict, run: RunRecord, *, one_line: bool = False) -> bytes:
    """Return the bytes of the report."""
    parts = {
        "words": audit_words(verdict),
        "evidence": rounded_all([plain(layer) for layer in verdict.evidence]),
        "similarity": {} if verdict.similarity is None else rounded_all(plain(verdict.similarity)),
    }
    return document(SCHEMA_VERSION, audit_result(verdict), run, parts=parts, one_line=one_line)


def audit_result(verdict: Verdict) -> dict[str, Any]:
    """Return the `result` of the report: the part that depends only on the round and parameters."""
    found = {key: value for key, value in plain(verdict).items() if key not in _BESIDE}
    for finding in found["findings"]:
        del finding["detail"]
    found = _given(found)
    found["decision"] = _given(found["decision"])
    found["ranking"] = [_ranked(one) for one in found["ranking"]]
    if "rescored" in found:
        again = found["rescored"]
        found["rescored"] = again | {"ranking": list(map(_ranked, again["ranking"]))}
    rounded: dict[str, Any] = rounded_all(found)
    # With these the audit is run again.
    requested = rounded["method"]["requested"]["detectors"]
    for one, given in zip(requested, verdict.method.requested.detectors, strict=True):
        one["arguments"] = given.arguments
    return rounded


def result_digest(verdict: Verdict) -> str:
    """Return the `result_sha256` of the report on a verdict."""
    return hashlib.sha256(canonical_bytes(audit_result(verdict))).hexdigest()


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that apply, and were measured; the rest is left out."""
    return {key: value for key, value in fields.items() if value is not None}


def _ranked(fields: dict[str, Any]) -> dict[str, Any]:
    return _given(fields) | {"reasons": list(map(_given, fields["reasons"]))}


def audit_words(verdict: Verdict) -> dict[str, Any]:
    """Return the sentences of the report, which put the numbers of the result in words."""
    return {
        "headline": headline_in_words(verdict),
        "coverage": coverage_in_words(verdict),
        "findings": [finding.detail for finding in verdict.findings],
    }
