"""A report of an audit: the verdict, and the record of its run; read back from its JSON."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.base.interrupts import defer_signals
from ariba_cli.base.visible import visible
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import read_own
from ariba_cli.files.strict_json import parse_object
from ariba_cli.reports.audit_json import SCHEMA_VERSION
from ariba_cli.reports.canonical import RunRecord, canonical_bytes
from ariba_cli.verdicts.validity import why_invalid
from ariba_cli.verdicts.verdict import Verdict

# How it is called where its file is not known.
_UNNAMED = "the report"
_HINT = "give one report of ariba audit -f json"
_AGAIN = "audit the round again"
# Of what a report says, in an error.
_MOST_QUOTED = 200


@dataclass(frozen=True)
class Report:
    """The content of a JSON report of an audit.

    Attributes
    ----------
    verdict : Verdict
        The verdict; its floats have the digits that the report has.
    run : RunRecord
        The record of the run.
    schema_version : str
        The version of its schema.
    result_sha256 : str
        The hash of the canonical bytes of its result.
    """

    verdict: Verdict
    run: RunRecord
    schema_version: str
    result_sha256: str


def read_report(path: Path, limits: Limits | None = None) -> Report:
    """Return the report in a file; see `parse_report`."""
    return parse_report(read_data(path, limits), name=f"'{path}'")


def read_data(path: Path, limits: Limits | None = None) -> bytes:
    """Return the bytes of a report, or of several, in a file.

    The file is the user's own: it may be a link, or a pipe, which can be read once.
    """
    try:
        return read_own(path, (limits or Limits()).json_bytes)
    except RefusedFileError as error:
        raise InputError(f"'{path}' {error}; give what ariba audit -f json wrote") from error


def parse_report(data: bytes, *, name: str = _UNNAMED) -> Report:
    """Return the report that these bytes are.

    Fields that a newer version of the schema has added are ignored.

    Parameters
    ----------
    data : bytes
        The JSON of the report.
    name : str, optional
        The name of the report in errors.

    Raises
    ------
    InputError
        When they are not a whole report of an audit, one of another major version of the schema,
        several of them, or not as they were written.
    """
    return report_of(content_of(data, name), name=name)


def report_of(content: dict[str, Any], *, name: str = _UNNAMED) -> Report:
    """Return the report that has this JSON; see `parse_report`."""
    with defer_signals():
        import msgspec

    try:
        run = msgspec.convert(content.get("run"), RunRecord)
        verdict = msgspec.convert(_verdict_fields(content, run), Verdict)
        reason = why_invalid(verdict)
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        reason = visible(str(error)[:_MOST_QUOTED])
    if reason:
        raise InputError(f"{name} is not a report of an audit: {reason}; {_advice(content)}")
    return Report(verdict, run, content["schema_version"], content["result_sha256"])


def content_of(data: bytes, name: str) -> dict[str, Any]:
    """Return the JSON of a report of a known version, with hashes that are right.

    Parameters
    ----------
    data : bytes
        The report.
    name : str
        The name of the report in errors.

    Raises
    ------
    InputError
        When it is not a report, is of another version, or its hash does not match.
    """
    try:
        content = parse_object(data, "content")
    except RefusedFileError as error:
        raise InputError(f"{name} {_why_not_one(data) or error}; {_HINT}") from error
    check_hashes(content, name)
    return content


def check_hashes(content: dict[str, Any], name: str, known: str = SCHEMA_VERSION) -> None:
    """Refuse a report of a version that is not known, and one that is not as it was written.

    Parameters
    ----------
    content : dict
        The JSON of the report.
    name : str
        The name of the report in errors.
    known : str, optional
        The version of its schema that is read.

    Raises
    ------
    InputError
        When it is not a report, is of another version, or its hash does not match.
    """
    version = content.get("schema_version")
    if not isinstance(version, str) or "result_sha256" not in content:
        raise InputError(f"{name} is not a report of ariba; {_HINT}")
    if version.partition(".")[0] != known.partition(".")[0]:
        raise InputError(
            f"{name} has schema version {_shown(version)}, but this version of ariba reads "
            f"{known}; {_AGAIN}"
        )
    for part in ("result", "words", "evidence", "similarity"):
        if part in content and _sha256(content[part], name) != content.get(f"{part}_sha256"):
            raise InputError(
                f"{name} was changed: its {part}_sha256 is not that of its {part}; {_AGAIN}"
            )


def _why_not_one(data: bytes) -> str:
    """Return the kind of bytes that are not JSON, if that can be told."""
    text = data.decode("utf-8", "replace").strip()
    if not text:
        return "is empty"
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        if not text.startswith("{"):
            return ""
        if error.msg == "Extra data":
            return "holds several reports, one on each line"
        if error.pos >= len(text) or not text.endswith("}"):
            return "is cut short"
    except (ValueError, RecursionError):
        # Whatever was wrong with it is said by who found it.
        pass
    return ""


def _sha256(part: Any, name: str) -> str:
    try:
        return hashlib.sha256(canonical_bytes(part)).hexdigest()
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not a report of an audit; {_HINT}") from error


def _verdict_fields(content: dict[str, Any], run: RunRecord) -> dict[str, Any]:
    """Return those fields of a `Verdict` that the report has in other places."""
    result, words = content.get("result"), content.get("words")
    if not isinstance(result, dict) or not isinstance(words, dict):
        raise ValueError("it has no result, or no words")
    findings, sentences = result.get("findings"), words.get("findings")
    if not isinstance(findings, list) or not isinstance(sentences, list):
        raise ValueError("it has no findings, or no words for them")
    return {
        **result,
        "findings": [
            {**finding, "detail": detail}
            for finding, detail in zip(findings, sentences, strict=True)
        ],
        "evidence": content.get("evidence", []),
        "similarity": content.get("similarity"),
        "devices": run.device.split(", "),
    }


def _advice(content: dict[str, Any]) -> str:
    """Return advice on a report that is not understood: one that is newer may well be sound."""
    version = str(content["schema_version"])
    if _minor(version) > _minor(SCHEMA_VERSION):
        return (
            f"it has schema version {_shown(version)}, but this version of ariba reads "
            f"{SCHEMA_VERSION}: install a newer one"
        )
    return _HINT


def _shown(version: str) -> str:
    return visible(version[:80])


def _minor(version: str) -> tuple[int, ...]:
    parts = version.split(".")[1:]
    return tuple(int(part) if part.isdecimal() and len(part) < 10 else 0 for part in parts)
