"""A saved round → the next global model, by FedAvg over those whose updates can be used."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ariba_cli.aggregation.fedavg import FedAvg
from ariba_cli.base.errors import InputError, OutputError, RefusedFileError, UsageError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.base.progress import Progress, no_progress
from ariba_cli.files.atomic import write_atomically
from ariba_cli.files.opening import enough_memory
from ariba_cli.files.partial import sync_directory
from ariba_cli.formats import peft, safetensors
from ariba_cli.formats.model import Model
from ariba_cli.formats.tensors import SIZES, TensorSpec
from ariba_cli.rounds.directory import Round
from ariba_cli.rounds.layers import Layer, agreed_layers
from ariba_cli.rounds.members import Member
from ariba_cli.rounds.names import is_counter, plain_name, plain_names
from ariba_cli.updates.alignment import refuse_twins
from ariba_cli.updates.intake import Submission, submissions_of, why_not_offered
from ariba_cli.updates.nonfinite import NonFiniteCounter

Values = dict[str, npt.NDArray[np.floating]]

_ADAPTER = "is an adapter, and the average of factors is not that of the changes they stand for"
_NUMPY: dict[str, np.dtype[np.floating]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}


@dataclass(frozen=True)
class Aggregation:
    """What came of averaging a round; ids are in their order.

    Attributes
    ----------
    averaged : whose updates went into the model.
    dropped : who was left out because that was asked for.
    findings : why others were left out.
    kept : tensors that nobody averages, such as counters, which are those of the global model.
    """

    averaged: tuple[str, ...]
    dropped: tuple[str, ...]
    findings: tuple[Finding, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True)
class _Start:
    """What is averaged, and from where.

    Attributes
    ----------
    layers : the tensors that are averaged; they are written under their stored names.
    values : θ by the names of the layers, in their shapes; zeros without a global model.
    kept : tensors that are written as the global model has them, by their stored names.
    """

    layers: Sequence[Layer]
    values: Values
    kept: Mapping[str, tuple[TensorSpec, bytes]]


def aggregate_round(
    round_: Round,
    out: Path,
    *,
    eta: float = 1.0,
    samples: Mapping[str, int] | None = None,
    dropped: Sequence[str] = (),
    strict: bool = False,
    progress: Progress = no_progress,
) -> Aggregation:
    """Write θ + η Σ_i w_i (θ_i − θ) to the new file `out`, as safetensors.

    The sum is in float64 and in the order of the ids. One update is held at a time. Tensors
    are written in model order, as float64 where θ is, else as float32. A sealed round says
    whether it holds weights or differences; others are taken to hold weights.

    Parameters
    ----------
    eta : η, the server's learning rate.
    samples : how many each participant holds, by which it then counts; None to count all the
        same.
    dropped : who is left out.
    strict : whether to stop at the first update that cannot be used.

    Raises
    ------
    UsageError
        When `eta` is not 1 and there is no global model, or `dropped` names a stranger.
    InputError
        When nobody is left, nothing can be averaged, the global model or the samples are
        missing, or an update has to be left out and `strict` is set.
    OutputError
        When `out` exists, would be taken for an update, or cannot be written.
    """
    _check_place(round_, out)
    updates_are_deltas = round_.manifest is not None and round_.manifest.kind == "difference"
    submissions = _open(round_, dropped, progress)
    start = _start(round_, submissions, eta, updates_are_deltas=updates_are_deltas)
    averaging = FedAvg(start.values, updates_are_deltas=updates_are_deltas)
    counts = _counts(submissions, samples)
    for done, one in enumerate(submissions, 1):
        values = _read(one, start.layers)
        if values is not None:
            averaging.add(values, counts[one.member.id])
        elif strict and one.finding is not None:
            raise InputError(f"{one.member.id}: {one.finding.detail} (--strict stops here)")
        progress("averaging", done, len(submissions))
    averaged = tuple(one.member.id for one in submissions if one.finding is None)
    _check_somebody_counts(round_, submissions, averaged, counts)
    write_atomically(out, _pieces(start, averaging, eta))
    sync_directory(out.parent)
    return Aggregation(
        averaged=averaged,
        dropped=tuple(one.id for one in round_.participants if one.id in set(dropped)),
        findings=tuple(one.finding for one in submissions if one.finding is not None),
        kept=tuple(start.kept),
    )


def _check_place(round_: Round, out: Path) -> None:
    """Refuse a place that cannot be written, before the work, or that changes the round."""
    if os.path.lexists(out):
        raise OutputError(f"'{out}' exists; name another file, or remove it first")
    if not out.parent.is_dir():
        raise OutputError(f"'{out}' cannot be written: there is no folder '{out.parent}'")
    round_.check_apart(out)


def _open(round_: Round, dropped: Sequence[str], progress: Progress) -> list[Submission]:
    """List the tensors of what everybody sent who is not dropped."""
    ids = {member.id for member in round_.participants}
    stranger = next((name for name in dropped if name not in ids), None)
    if stranger is not None:
        raise UsageError(f"there is no participant '{stranger}' in '{round_.root}' to drop")
    kept = [one for one in round_.participants if one.id not in set(dropped)]
    submissions = submissions_of(round_, kept, progress)
    refuse_twins(submissions)
    for submission in submissions:
        if submission.model is not None and submission.model.format == peft.NAME:
            submission.model = None
            submission.reject(FindingKind.REFUSED, _ADAPTER)
    return submissions


def _start(
    round_: Round, submissions: Sequence[Submission], eta: float, *, updates_are_deltas: bool
) -> _Start:
    if round_.global_model is not None:
        return _from_global(round_, round_.global_model)
    if updates_are_deltas:
        raise InputError(
            f"'{round_.root}' holds differences to a global model, which is not there; name it "
            "with --global"
        )
    if eta != 1:
        raise UsageError(
            f"eta is {eta:g}, and without the global model there is only the mean of the "
            "weights; name the model with --global, or give --eta 1"
        )
    catalogs = [one.model.tensors for one in submissions if one.model is not None]
    order = round_.manifest.layers if round_.manifest else ()
    layers = [layer for layer in agreed_layers(catalogs, order) if layer.spec.is_float]
    if catalogs and not layers:
        raise InputError(f"'{round_.root}' has no tensor of floats that most updates hold")
    nothing = np.zeros((), np.float32)
    values = {layer.name: np.broadcast_to(nothing, layer.shape) for layer in layers}
    return _Start(layers, values, {})


def _from_global(round_: Round, member: Member) -> _Start:
    """Read the global model: it says which tensors there are, in which shapes and types."""
    path = round_.root / member.path
    layers, values, kept = [], {}, {}
    unusable = NonFiniteCounter()
    try:
        model = round_.open(member)
        if model.format == peft.NAME:
            raise RefusedFileError(_ADAPTER)
        with enough_memory(), model.reading() as reading:
            for name, stored in _in_model_order(round_, model):
                tensor, raw = model.tensors[stored], reading.read(stored)
                if not tensor.spec.is_float or is_counter(name):
                    kept[stored] = tensor.spec, bytes(raw)
                    continue
                layers.append(Layer(name, stored, tensor.spec.dtype, tensor.spec.shape))
                flat = tensor.values(raw)[:]
                unusable.count(flat)
                values[name] = flat.reshape(tensor.spec.shape)
    except RefusedFileError as error:
        raise InputError(f"'{path}' {error}") from error
    if unusable.found:
        raise InputError(f"'{path}' holds {unusable}, which nothing can be added to")
    if not layers:
        raise InputError(f"'{path}' has no tensor of floats to be averaged")
    return _Start(layers, values, kept)


def _in_model_order(round_: Round, model: Model) -> list[tuple[str, str]]:
    """The plain and the stored names of the global model's tensors."""
    order = round_.manifest.layers if round_.manifest else ()
    position = {plain_name(name): index for index, name in enumerate(order)}
    names = plain_names(model.tensors).items()
    return sorted(names, key=lambda pair: position.get(plain_name(pair[0]), len(position)))


def _counts(
    submissions: Sequence[Submission], samples: Mapping[str, int] | None
) -> Mapping[str, int]:
    """How often each participant counts."""
    ids = [one.member.id for one in submissions]
    if samples is None:
        return dict.fromkeys(ids, 1)
    unknown = next((name for name in ids if name not in samples), None)
    if unknown is not None:
        raise InputError(
            f"it is not known how many samples '{unknown}' holds: the run names "
            f"{len(samples)} participants and not this one; leave out --weights"
        )
    return samples


def _read(submission: Submission, layers: Sequence[Layer]) -> Values | None:
    """All of what one participant sent; None when it is left out, with a finding that says why."""
    model = submission.model
    if model is None:
        return None
    for layer in layers:
        wrong = why_not_offered(model, layer)
        if wrong is not None:
            submission.reject(wrong.kind, wrong.detail, layer.name, **wrong.facts)
            return None
    values = {}
    try:
        with enough_memory(), model.reading() as reading:
            for layer in layers:
                stored, unusable = str(layer.name_in(model.tensors)), NonFiniteCounter()
                flat = model.tensors[stored].values(reading.read(stored))[:]
                unusable.count(flat)
                if unusable.found:
                    submission.reject(
                        FindingKind.NONFINITE,
                        f"{unusable} in {layer.name}",
                        layer.name,
                        **unusable.facts,
                    )
                    return None
                values[layer.name] = flat.reshape(layer.shape)
    except RefusedFileError as error:
        submission.reject(FindingKind.REFUSED, str(error))
        return None
    return values


def _check_somebody_counts(
    round_: Round,
    submissions: Sequence[Submission],
    averaged: Sequence[str],
    counts: Mapping[str, int],
) -> None:
    if not averaged:
        first = next((one.finding for one in submissions if one.finding is not None), None)
        why = "all are dropped" if first is None else f"{first.participant}: {first.detail}"
        raise InputError(f"'{round_.root}' has no update left to be averaged; {why}")
    if not any(counts[name] for name in averaged):
        raise InputError(
            f"none of those left in '{round_.root}' holds a sample; leave out --weights"
        )


def _pieces(start: _Start, averaging: FedAvg, eta: float) -> Iterator[bytes]:
    """The bytes of the file, one tensor in memory at a time, the widest types first."""
    layers = {layer.stored_name: layer for layer in start.layers}
    specs = {name: TensorSpec(_type(layer), layer.shape) for name, layer in layers.items()}
    specs |= {name: spec for name, (spec, _) in start.kept.items()}
    order = sorted(specs, key=lambda name: -SIZES[specs[name].dtype])
    yield safetensors.encode_header({name: specs[name] for name in order})
    for stored in order:
        if stored in layers:
            yield _average(layers[stored], averaging, eta)
        else:
            yield start.kept[stored][1]


def _average(layer: Layer, averaging: FedAvg, eta: float) -> bytes:
    with np.errstate(over="ignore"):
        average = averaging.average(layer.name, eta).astype(_NUMPY[_type(layer)])
    if not np.isfinite(average).all():
        raise InputError(
            f"the average of {layer.name} is larger than float32 can hold; give a smaller --eta"
        )
    return average.tobytes()


def _type(layer: Layer) -> str:
    return "F64" if layer.dtype == "F64" else "F32"
