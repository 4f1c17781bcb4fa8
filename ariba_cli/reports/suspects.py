"""The JSON report of an audit → who its suspects are, once it is known to speak of a round."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ariba_cli.errors import InputError, RefusedFileError
from ariba_cli.reports.audit_json import SCHEMA_VERSION
from ariba_cli.reports.canonical import canonical_bytes
from ariba_cli.rounds.directory import Round
from ariba_cli.rounds.layers import agreed_layers
from ariba_cli.rounds.model import Model, Scratch
from ariba_cli.rounds.opening import read_small
from ariba_cli.rounds.strict_json import parse_object

_HINT = "--drop takes one report of ariba audit -f json"


@dataclass(frozen=True)
class _Report:
    """What a report says of a round.

    Attributes
    ----------
    participants : whose updates were audited.
    suspects : who is one, in the order of the ranking.
    layers : by layer and participant, the sha256 of the bytes that were audited.
    """

    participants: frozenset[str]
    suspects: tuple[str, ...]
    layers: dict[str, dict[str, str]]


def read_suspects(path: Path, round_: Round) -> tuple[str, ...]:
    """The suspects that an audit of this round has named, in the order of its ranking.

    The bytes of every layer that was audited are hashed again.

    Raises
    ------
    InputError
        When the file is no sound report, or one on another round.
    """
    try:
        report = _decode(path, read_small(path, round_.terms.limits))
    except RefusedFileError as error:
        raise InputError(f"'{path}' {error}; {_HINT}") from error
    difference = _difference(report, round_)
    if difference:
        raise InputError(
            f"'{path}' is a report on another round than '{round_.root}': {difference}"
        )
    return report.suspects


def _decode(path: Path, data: bytes) -> _Report:
    content = parse_object(data, "content")
    version = content.get("schema_version")
    if not isinstance(version, str) or "result_sha256" not in content:
        raise RefusedFileError("is no report of ariba")
    if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        raise InputError(
            f"'{path}' has schema version {version[:80]}, and this version of ariba reads "
            f"{SCHEMA_VERSION}; audit the round again"
        )
    try:
        result = content["result"]
        if hashlib.sha256(canonical_bytes(result)).hexdigest() != content["result_sha256"]:
            raise InputError(
                f"'{path}' is not as it was written: its result_sha256 is not that of its result; "
                "audit the round again"
            )
        return _report(result)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RefusedFileError("is no report of an audit") from error


def _report(result: dict[str, Any]) -> _Report:
    """Raises much of what Python raises when something is not there, or not of its type."""
    ids = [one["id"] for one in result["inputs"] if one["role"] == "participant"]
    flags = {one["id"]: one["suspect"] for one in result["ranking"]}
    sound = (
        all(isinstance(name, str) for name in ids)
        and len(set(ids)) == len(ids)
        and flags.keys() <= set(ids)
        and all(isinstance(flag, bool) for flag in flags.values())
    )
    if not sound:
        raise ValueError
    return _Report(
        participants=frozenset(ids),
        suspects=tuple(name for name, flag in flags.items() if flag),
        layers={one["layer"]: dict(one["tensor_sha256"]) for one in result["layers"]},
    )


def _difference(report: _Report, round_: Round) -> str:
    """What a report says that the round does not, or the other way round; nothing if all fits.

    Rounds of one run have the same participants, and only the bytes tell them apart.
    """
    ids = {member.id for member in round_.participants}
    if report.participants - ids:
        return f"it speaks of '{min(report.participants - ids)}', who is not in this one"
    if ids - report.participants:
        return f"it does not speak of '{min(ids - report.participants)}'"
    models = {}
    for member in round_.participants:
        try:
            models[member.id] = round_.open(member)
        except RefusedFileError:
            # The report has no hash of it, or it can no longer be read.
            continue
    order = round_.manifest.layers if round_.manifest else ()
    layers = agreed_layers([model.tensors for model in models.values()], order)
    known = {layer.name: layer for layer in layers}
    for name, hashes in report.layers.items():
        for identifier, sha256 in hashes.items():
            stored = None
            if name in known and identifier in models:
                stored = known[name].name_in(models[identifier].tensors)
            if stored is None or _sha256(models[identifier], stored) != sha256:
                return f"it has other bytes of {name} from '{identifier}'"
    return ""


def _sha256(model: Model, stored: str) -> str | None:
    """The hash of a tensor's bytes; None when they cannot be read."""
    digest = hashlib.sha256()
    try:
        with model.reading() as reading:
            for piece in reading.pieces(stored, Scratch()):
                digest.update(piece)
    except RefusedFileError:
        return None
    return digest.hexdigest()
