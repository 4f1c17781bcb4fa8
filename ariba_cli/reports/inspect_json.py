"""The content of a file or a round → JSON, schema `inspect-2.0.0`."""

from dataclasses import asdict
from typing import Any

from ariba_cli.reports.canonical import RunRecord, document, rounded_all
from ariba_cli.rounds.inspection import InspectedFile, InspectedRound

SCHEMA_VERSION = "2.0.0"


def inspect_json(found: InspectedFile | InspectedRound, run: RunRecord) -> bytes:
    """Return the bytes of the report; the words of findings are not part of its result."""
    result: dict[str, Any] = rounded_all(asdict(found))
    if isinstance(found, InspectedFile):
        return document(SCHEMA_VERSION, {"type": "file", **result}, run)
    for layer in (*result["layers"], *result["statistics"]):
        del layer["is_weight"]
    words = {"findings": [finding.pop("detail") for finding in result["findings"]]}
    return document(SCHEMA_VERSION, {"type": "round", **result}, run, parts={"words": words})
