"""The participants that a JSON report of an audit names, after a check that it is on a round."""

import hashlib
from pathlib import Path

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.base.findings import Finding
from ariba_cli.formats.model import Model, Scratch
from ariba_cli.reports.report import read_report
from ariba_cli.rounds.directory import Round
from ariba_cli.rounds.layers import agreed_layers
from ariba_cli.verdicts.verdict import Verdict


def read_suspects(path: Path, round_: Round) -> tuple[str, ...]:
    """Return the participants that an audit of this round has named; see `Verdict.accused`.

    The bytes of every layer that was audited are hashed again.

    Raises
    ------
    InputError
        When the file is not a sound report, or one on another round.
    """
    verdict = read_report(path, round_.terms.limits).verdict
    difference = _difference(verdict, round_)
    if difference:
        raise InputError(
            f"'{path}' is a report on another round than '{round_.root}': {difference}"
        )
    return verdict.accused


def _difference(verdict: Verdict, round_: Round) -> str:
    """Return a difference between a report and a round, in words; empty if there is none.

    Rounds of one run have the same participants, and only the bytes distinguish them.
    """
    ids = {member.id for member in round_.participants}
    audited = {one.id for one in verdict.inputs if one.role == "participant"}
    if audited - ids:
        return f"it names '{min(audited - ids)}', who is not in this round"
    if ids - audited:
        return f"it does not name '{min(ids - audited)}'"
    # Who was left out on request had no say in what the layers are.
    excluded = {one.id for one in verdict.inputs if one.status == "excluded"}
    members = [member for member in round_.participants if member.id not in excluded]
    # The report has no hash of what is refused, or it can no longer be read.
    models = {
        member.id: model
        for member, model in round_.open_members(members)
        if not isinstance(model, Finding)
    }
    order = round_.manifest.layers if round_.manifest else ()
    layers = agreed_layers([model.tensors for model in models.values()], order)
    known = {layer.name: layer for layer in layers}
    for layer in verdict.layers:
        name = layer.layer
        for identifier, sha256 in layer.tensor_sha256.items():
            stored = None
            if name in known and identifier in models:
                stored = known[name].name_in(models[identifier].tensors)
            if stored is None or _sha256(models[identifier], stored) != sha256:
                return f"it has other bytes of {name} from '{identifier}'"
    return ""


def _sha256(model: Model, stored: str) -> str | None:
    """Return the hash of a tensor's bytes; None if they cannot be read."""
    digest = hashlib.sha256()
    try:
        with model.reading() as reading:
            for piece in reading.pieces(stored, Scratch()):
                digest.update(piece)
    except RefusedFileError:
        return None
    return digest.hexdigest()
