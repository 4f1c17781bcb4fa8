"""The JSON documents: a `result` that is the same everywhere, its hash, and how it was run."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

# Beyond it not every integer is a float64, nor a number of every JSON reader.
_EXACT = 2**53


@dataclass(frozen=True)
class RunRecord:
    """Everything about a run that does not decide its result."""

    ariba: str
    python: str
    libraries: dict[str, str]
    argv: list[str]
    started: str
    seconds: float
    device: str


def document(schema_version: str, result: dict[str, Any], run: RunRecord) -> bytes:
    """The bytes of a report."""
    content = {
        "schema_version": schema_version,
        "result": result,
        "result_sha256": hashlib.sha256(canonical_bytes(result)).hexdigest(),
        "run": asdict(run),
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, allow_nan=False, indent=2)
    return (text + "\n").encode("ascii")


def canonical_bytes(result: dict[str, Any]) -> bytes:
    """The bytes that `result_sha256` is of: sorted keys, no white space, ASCII."""
    text = json.dumps(
        result, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":")
    )
    return text.encode("ascii")


def rounded(number: float) -> float:
    """A float as it stands in a report: 6 significant digits, and 1 rather than 1.0.

    Programs disagree on how to write 1.0, and other tools shall find the same hash.
    """
    short = float(f"{number:.6g}")
    return int(short) if short.is_integer() and abs(short) < _EXACT else short
