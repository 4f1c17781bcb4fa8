"""What is in a model file or a round: seal, participants, layers, norms, findings."""

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ariba_cli.errors import InputError, RefusedFileError
from ariba_cli.findings import Finding, FindingKind
from ariba_cli.progress import Progress, silent
from ariba_cli.rounds.directory import Member, Round
from ariba_cli.rounds.layers import Layer, agreed_layers
from ariba_cli.rounds.models import ModelFile, as_model, open_model
from ariba_cli.rounds.opening import OpenFile, open_file
from ariba_cli.rounds.tensors import TensorSpec, to_array

Tensors = dict[str, npt.NDArray[np.floating]]

_CHUNK_BYTES = 2**22


@dataclass(frozen=True)
class InspectedLayer:
    """One tensor: its l2 norm is None where it cannot be taken."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    norm: float | None


@dataclass(frozen=True)
class InspectedFile:
    """One model file."""

    path: str
    format: str
    bytes: int
    sha256: str
    layers: tuple[InspectedLayer, ...]


@dataclass(frozen=True)
class InspectedParticipant:
    """One participant's file; norm is None when it could not be read."""

    id: str
    path: str
    format: str | None
    bytes: int | None
    norm: float | None


@dataclass(frozen=True)
class InspectedRound:
    """A round.

    Attributes
    ----------
    seal : `intact` (every listed file was hashed again), `broken` or `none`.
    norm_of : what the norms are of: the `update`, or the `values` as they are stored
        when there is no global model to take away.
    """

    path: str
    seal: str
    round: int | None
    kind: str | None
    has_global: bool
    norm_of: str
    participants: tuple[InspectedParticipant, ...]
    layers: tuple[Layer, ...]
    findings: tuple[Finding, ...]


def inspect_file(path: Path) -> InspectedFile:
    """Look into one model file.

    Raises
    ------
    InputError
        When it is refused.
    """
    try:
        with open_model(path) as model:
            return InspectedFile(
                path=path.resolve().name,
                format=model.format,
                bytes=model.file.size,
                sha256=_sha256(model.file),
                layers=tuple(_inspected_layer(model, name) for name in model.tensors),
            )
    except RefusedFileError as error:
        raise InputError(f"'{path}' {error}") from error


def inspect_round(round_: Round, progress: Progress = silent) -> InspectedRound:
    """Read a whole round: hash every file that its seal lists, and take every norm."""
    findings = list(round_.findings)
    _check_others(round_, findings)
    reference = _reference(round_, findings)
    participants, catalogs = [], []
    for done, member in enumerate(round_.participants, 1):
        participant, catalog = _inspect_participant(round_, member, reference, findings)
        participants.append(participant)
        catalogs.append(catalog)
        progress("reading updates", done, len(round_.participants))
    manifest = round_.manifest
    readable = [catalog for catalog in catalogs if catalog is not None]
    is_update = bool(reference) or (manifest is not None and manifest.kind == "difference")
    return InspectedRound(
        path=round_.root.resolve().name,
        seal=_seal(round_, findings),
        round=manifest.round if manifest else None,
        kind=manifest.kind if manifest else None,
        has_global=round_.global_model is not None,
        norm_of="update" if is_update else "values",
        participants=tuple(participants),
        layers=tuple(agreed_layers(readable, manifest.layers if manifest else ())),
        findings=tuple(findings),
    )


def _seal(round_: Round, findings: list[Finding]) -> str:
    broken = (FindingKind.SEAL_BROKEN, FindingKind.UNLISTED_FILE)
    if any(finding.kind in broken for finding in findings):
        return "broken"
    return "intact" if round_.manifest else "none"


def _reference(round_: Round, findings: list[Finding]) -> Tensors:
    """What is to be taken away from the participants' values to give their updates."""
    if round_.global_model is None:
        return {}
    path = round_.global_model.path
    try:
        with _open_sealed(round_, path, None, findings) as file:
            if round_.manifest and round_.manifest.kind == "difference":
                return {}
            return dict(as_model(file).floats())
    except RefusedFileError as error:
        findings.append(Finding(FindingKind.REFUSED, f"{path} {error}"))
        return {}


def _inspect_participant(
    round_: Round, member: Member, reference: Tensors, findings: list[Finding]
) -> tuple[InspectedParticipant, Mapping[str, TensorSpec] | None]:
    try:
        with _open_sealed(round_, member.path, member.id, findings) as file:
            model = as_model(file)
            norm = _norm(model, reference)
            if norm is None:
                detail = "holds NaN, Inf, or values too large to square"
                findings.append(Finding(FindingKind.NONFINITE, detail, member.id))
            inspected = InspectedParticipant(member.id, member.path, model.format, file.size, norm)
            return inspected, model.tensors
    except RefusedFileError as error:
        findings.append(Finding(FindingKind.REFUSED, str(error), member.id))
        return InspectedParticipant(member.id, member.path, None, None, None), None


def _check_others(round_: Round, findings: list[Finding]) -> None:
    """Hold the files that are no models against the seal."""
    for path in round_.others:
        try:
            with _open_sealed(round_, path, None, findings):
                pass
        except RefusedFileError as error:
            findings.append(Finding(FindingKind.REFUSED, f"{path} {error}"))


@contextmanager
def _open_sealed(
    round_: Round, path: str, who: str | None, findings: list[Finding]
) -> Iterator[OpenFile]:
    """Open a file and hold it against the seal, before anything is made of its contents."""
    with open_file(round_.root / path) as file:
        sealed = round_.manifest.files.get(path) if round_.manifest else None
        if sealed is not None and _sha256(file) != sealed.sha256:
            detail = f"{path} is not the file that was sealed: its sha256 differs"
            findings.append(Finding(FindingKind.SEAL_BROKEN, detail, who))
        yield file


def _sha256(file: OpenFile) -> str:
    digest = hashlib.sha256()
    for start in range(0, file.size, _CHUNK_BYTES):
        digest.update(file.read(start, min(_CHUNK_BYTES, file.size - start)))
    return digest.hexdigest()


def _inspected_layer(model: ModelFile, name: str) -> InspectedLayer:
    spec = model.tensors[name]
    norm = None
    if spec.is_float:
        norm = _root(_squares(to_array(spec, model.read(name))))
    return InspectedLayer(name, spec.dtype, spec.shape, spec.bytes, norm)


def _norm(model: ModelFile, reference: Tensors) -> float | None:
    """The l2 norm of all float tensors, less the reference where it has the same shape."""
    total = 0.0
    for name, values in model.floats():
        start = reference.get(name)
        fits = start is not None and start.shape == values.shape
        total += _squares(values, start if fits else None)
    return _root(total)


def _squares(
    values: npt.NDArray[np.floating], start: npt.NDArray[np.floating] | None = None
) -> float:
    """The sum of the squares of values less those that they started from."""
    with np.errstate(over="ignore", invalid="ignore"):
        moved = np.subtract(values, 0.0 if start is None else start, dtype=np.float64)
        return float(np.square(moved).sum())


def _root(squares: float) -> float | None:
    return math.sqrt(squares) if math.isfinite(squares) else None
