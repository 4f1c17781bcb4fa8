"""What is in a file or a round → JSON, schema `inspect-1.1.0`."""

from dataclasses import asdict
from typing import Any

from ariba_cli.reports.canonical import RunRecord, document, rounded
from ariba_cli.rounds.inspection import InspectedFile, InspectedRound

SCHEMA_VERSION = "1.1.0"


def inspect_json(found: InspectedFile | InspectedRound, run: RunRecord) -> bytes:
    """The bytes of the report."""
    kind = "file" if isinstance(found, InspectedFile) else "round"
    return document(SCHEMA_VERSION, {"type": kind, **_rounded(asdict(found))}, run)


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return rounded(value)
        case dict():
            return {key: _rounded(item) for key, item in value.items()}
        case list() | tuple():
            return [_rounded(item) for item in value]
        case _:
            return value
