"""The contents of a model or a round: seal, participants, layers, norms, findings."""

import math
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.base.findings import BROKEN_SEAL, Finding, FindingKind
from ariba_cli.base.parallel import thread_map
from ariba_cli.base.progress import Progress, no_progress
from ariba_cli.files.hashing import file_sha256
from ariba_cli.files.places import own_name
from ariba_cli.formats import open_model
from ariba_cli.formats.model import Model, Reading, ReadOptions, Scratch, sum_of_squares
from ariba_cli.rounds.beside import not_scored
from ariba_cli.rounds.differing import chosen_models, differences_from_most
from ariba_cli.rounds.directory import Round
from ariba_cli.rounds.fairness import outsize
from ariba_cli.rounds.layers import Layer, agreed_layers
from ariba_cli.rounds.members import Member
from ariba_cli.rounds.names import is_counter, plain_names, statistics_among
from ariba_cli.rounds.sealing import VerifiedSeal

# The values of a model by their names without prefixes.
Reference = Mapping[str, npt.NDArray[np.floating]]


@dataclass(frozen=True)
class InspectedLayer:
    """A tensor with its l2 norm, which is None if it cannot be computed."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    norm: float | None


@dataclass(frozen=True)
class HashedFile:
    """A file with its hash, by its name beside the others of its model."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class InspectedFile:
    """A model in a file or in a folder of files.

    Attributes
    ----------
    path : str
        The name of the file or folder.
    format : str
        The name of its format.
    bytes : int
        The size of its files.
    sha256 : str, optional
        The SHA-256 of the file; None if there are several.
    files : tuple of HashedFile
        Its files.
    layers : tuple of InspectedLayer
        Its weights.
    statistics : tuple of InspectedLayer
        The statistics that batch normalisation measured.
    """

    path: str
    format: str
    bytes: int
    sha256: str | None
    files: tuple[HashedFile, ...]
    layers: tuple[InspectedLayer, ...]
    statistics: tuple[InspectedLayer, ...]


@dataclass(frozen=True)
class InspectedParticipant:
    """A participant's model with its norm, which is None if it could not be read."""

    id: str
    path: str
    format: str | None
    bytes: int | None
    norm: float | None


@dataclass(frozen=True)
class InspectedRound:
    """A round with its seal, participants and layers.

    Attributes
    ----------
    path : str
        The name of its directory.
    seal : str
        `intact` (every listed file was hashed again), `broken` or `none`.
    round : int, optional
        The number of the round; None if no seal states it.
    kind : str, optional
        The kind of update that the seal states; None without a seal.
    has_global : bool
        True if the round has a global model.
    norm_of : str
        The subject of the norms: the `update`, or the `values` as they are stored
        if there is no global model to subtract.
    participants : tuple of InspectedParticipant
        Its participants.
    layers : tuple of Layer
        The weights that most participants have.
    statistics : tuple of Layer
        The statistics that batch normalisation measured.
    findings : tuple of Finding
        The findings on the round and its participants.
    """

    path: str
    seal: str
    round: int | None
    kind: str | None
    has_global: bool
    norm_of: str
    participants: tuple[InspectedParticipant, ...]
    layers: tuple[Layer, ...]
    statistics: tuple[Layer, ...]
    findings: tuple[Finding, ...]


def inspect_file(path: Path, terms: ReadOptions | None = None) -> InspectedFile:
    """List and hash one model, and compute its norms.

    Raises
    ------
    InputError
        When it is refused.
    """
    try:
        model = open_model(path, terms or ReadOptions())
        with model.reading() as reading:
            scratch = Scratch()
            names = [name for name in model.tensors if not is_counter(name)]
            listed = [_inspected_layer(reading, name, scratch) for name in names]
            files = tuple(hashed_files(reading))
    except RefusedFileError as error:
        raise InputError(f"'{path}' {error}") from error
    statistics = statistics_among({layer.name: layer.shape for layer in listed})
    return InspectedFile(
        path=own_name(path),
        format=model.format,
        bytes=model.bytes,
        sha256=files[0].sha256 if len(files) == 1 else None,
        files=files,
        layers=tuple(layer for layer in listed if layer.name not in statistics),
        statistics=tuple(layer for layer in listed if layer.name in statistics),
    )


def inspect_round(round_: Round, progress: Progress = no_progress) -> InspectedRound:
    """Read a whole round: hash every file that its seal lists, and compute every norm."""
    seal = round_.verify_seal(progress)
    findings = [*round_.findings, *seal.findings]
    is_difference = round_.manifest is not None and round_.manifest.kind == "difference"
    reference = {} if is_difference else _reference(round_, seal, findings)
    participants, models = _inspect_participants(round_, seal, reference, findings, progress)
    manifest = round_.manifest
    catalogs = {who: model.tensors for who, model in models.items()}
    layers = agreed_layers(catalogs.values(), manifest.layers if manifest else ())
    findings += [*chosen_models(models), *differences_from_most(catalogs, layers)]
    return InspectedRound(
        path=own_name(round_.root),
        seal=_seal(round_, findings),
        round=manifest.round if manifest else None,
        kind=manifest.kind if manifest else None,
        has_global=round_.global_model is not None,
        norm_of="update" if reference or is_difference else "values",
        participants=tuple(participants),
        layers=tuple(layer for layer in layers if layer.is_weight),
        statistics=tuple(layer for layer in layers if not layer.is_weight),
        findings=tuple(findings),
    )


def _seal(round_: Round, findings: list[Finding]) -> str:
    if any(finding.kind in BROKEN_SEAL for finding in findings):
        return "broken"
    return "intact" if round_.manifest else "none"


def _reference(round_: Round, seal: VerifiedSeal, findings: list[Finding]) -> Reference:
    """Return the values that are subtracted from those of participants to give their updates."""
    member = round_.global_model
    if member is None:
        return {}
    found = round_.use(member, _floats, seal)
    if isinstance(found, Finding):
        named = found.kind == FindingKind.SEAL_BROKEN
        detail = found.detail if named else f"{member.path} {found.detail}"
        findings.append(Finding(found.kind, detail))
        return {}
    return found


def _floats(model: Model) -> Reference:
    names = plain_names(model.tensors)
    values = dict(model.floats())
    return {name: values[stored] for name, stored in names.items() if stored in values}


def _inspect_participants(
    round_: Round,
    seal: VerifiedSeal,
    reference: Reference,
    findings: list[Finding],
    progress: Progress,
) -> tuple[list[InspectedParticipant], dict[str, Model]]:
    """Read the models of all participants, several at a time."""
    kept = threading.local()

    def inspect(
        member: Member, opened: Model | Finding
    ) -> tuple[InspectedParticipant, Model | None, Finding | None]:
        if not hasattr(kept, "scratch"):
            kept.scratch = Scratch()
        return _inspect_participant(round_, member, opened, reference, kept.scratch)

    members = list(round_.open_members(round_.participants, progress, seal))
    findings += outsize({one.id: model for one, model in members if isinstance(model, Model)})
    participants: list[InspectedParticipant] = []
    models: dict[str, Model] = {}
    for done, one in enumerate(thread_map(inspect, *zip(*members, strict=True)), 1):
        participant, model, finding = one
        participants.append(participant)
        if model is not None:
            models[participant.id] = model
        findings += [finding] if finding is not None else []
        progress("reading updates", done, len(round_.participants))
    findings += not_scored(models.items())
    return participants, models


def _inspect_participant(
    round_: Round,
    member: Member,
    opened: Model | Finding,
    reference: Reference,
    scratch: Scratch,
) -> tuple[InspectedParticipant, Model | None, Finding | None]:

    def read(model: Model) -> tuple[Model, float | None]:
        with model.reading() as reading:
            return model, _norm(reading, reference, scratch)

    found = round_.use_opened(member, opened, read)
    if isinstance(found, Finding):
        return InspectedParticipant(member.id, member.path, None, None, None), None, found
    (model, norm), finding = found, None
    if norm is None:
        detail = "holds NaN, Inf, or values too large to square"
        finding = Finding(FindingKind.NONFINITE, detail, member.id)
    inspected = InspectedParticipant(member.id, member.path, model.format, model.bytes, norm)
    return inspected, model, finding


def hashed_files(reading: Reading) -> Iterator[HashedFile]:
    """Yield the files of a model, hashed whole."""
    for index, (path, stamp) in enumerate(reading.model.files):
        yield HashedFile(path.name, stamp.size, file_sha256(reading.file(index)))


def _inspected_layer(reading: Reading, name: str, scratch: Scratch) -> InspectedLayer:
    tensor = reading.model.tensors[name]
    norm = None
    if tensor.spec.is_float:
        norm = _root(_squares(reading, name, scratch))
    return InspectedLayer(name, tensor.spec.dtype, tensor.spec.shape, tensor.spec.bytes, norm)


def _norm(reading: Reading, reference: Reference, scratch: Scratch) -> float | None:
    """Return the l2 norm of all weights, less the reference where it has the same shape."""
    model, total = reading.model, 0.0
    names = plain_names(model.tensors)
    statistics = statistics_among(
        {name: model.tensors[stored].spec.shape for name, stored in names.items()}
    )
    for name, stored in names.items():
        tensor = model.tensors[stored]
        if tensor.spec.is_float and name not in statistics:
            start = reference.get(name)
            if start is not None and start.shape != tensor.spec.shape:
                start = None
            total += _squares(reading, stored, scratch, start)
    return _root(total)


def _squares(
    reading: Reading, name: str, scratch: Scratch, start: npt.NDArray[np.floating] | None = None
) -> float:
    """Return the sum of the squares of a tensor's values less their starting values."""
    total, position = 0.0, 0
    flat = None if start is None else start.reshape(-1)
    for piece in reading.pieces(name, scratch):
        values = reading.model.tensors[name].values(piece)
        end = position + values.size
        total += sum_of_squares(values, None if flat is None else flat[position:end])
        position = end
    return total


def _root(squares: float) -> float | None:
    return math.sqrt(squares) if math.isfinite(squares) else None
