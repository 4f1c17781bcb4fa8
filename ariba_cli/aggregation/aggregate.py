"""A saved round → the next global model, by a rule over those whose updates can be used."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ariba_cli.aggregation.combining import next_values
from ariba_cli.aggregation.reading import (
    Basis,
    SavedTensors,
    are_deltas,
    basis_of,
    open_updates,
    saved_updates,
)
from ariba_cli.aggregation.rules import DEFAULT, make_rule
from ariba_cli.aggregation.rules.declaration import Choice, Rule, Settled
from ariba_cli.aggregation.updates import Accuracy, Public, RoundUpdates
from ariba_cli.base.errors import InputError, OutputError, UsageError
from ariba_cli.base.findings import Finding
from ariba_cli.base.machine import memory_bytes
from ariba_cli.base.progress import Progress, no_progress
from ariba_cli.files.atomic import write_atomically
from ariba_cli.files.partial import sync_directory
from ariba_cli.formats import safetensors
from ariba_cli.formats.tensors import SIZES, TensorSpec
from ariba_cli.rounds.directory import Round
from ariba_cli.rounds.layers import Layer
from ariba_cli.updates.intake import Submission
from ariba_cli.updates.lazy import LeftOutError

_NUMPY: dict[str, np.dtype[np.floating]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}


@dataclass(frozen=True)
class Aggregation:
    """The result of aggregating a round; ids are in their order.

    Attributes
    ----------
    shares : dict of str to float
        The weight of each update that could be used, by id, as a share of all weights together; 0
        for those that the rule leaves out.
    arguments : dict of str to float
        The arguments of the rule, its defaults included.
    dropped : tuple of str
        The participants who were left out on request.
    findings : tuple of Finding
        The reasons why others were left out.
    kept : tuple of str
        The tensors that are not aggregated, such as counters, and stay those of the global model.
    """

    shares: dict[str, float]
    arguments: Settled
    dropped: tuple[str, ...]
    findings: tuple[Finding, ...]
    kept: tuple[str, ...]

    @property
    def used(self) -> tuple[str, ...]:
        """The ids of those whose updates went into the model."""
        return tuple(name for name, share in self.shares.items() if share > 0)


def aggregate_round(
    round_: Round,
    out: Path,
    *,
    rule: Rule | None = None,
    eta: float = 1.0,
    samples: Mapping[str, int] | None = None,
    dropped: Sequence[str] = (),
    strict: bool = False,
    max_memory: int | None = None,
    noise_seed: int = 0,
    accuracy: Accuracy | None = None,
    public: Public | None = None,
    progress: Progress = no_progress,
) -> Aggregation:
    """Write the next global model to the new file `out`, as safetensors.

    Sums are in float64 and in the order of the ids. Tensors are written in model order, as
    float64 where θ is, else as float32. A sealed round says whether it holds weights or
    differences; others are taken to hold weights.

    Parameters
    ----------
    round_ : Round
        The round with its submissions.
    out : Path
        The file to make.
    rule : Rule, optional
        The rule by which updates are aggregated; FedAvg by default.
    eta : float, optional
        The server's learning rate η.
    samples : dict of str to int, optional
        The number of samples of each participant, by which it counts; None to count all the same.
    dropped : sequence of str, optional
        The ids of participants to leave out.
    strict : bool, optional
        True to stop at the first update that cannot be used.
    max_memory : int, optional
        The bytes of updates to hold in memory; a quarter of the machine's memory when None.
        It does not change the result.
    noise_seed : int, optional
        The seed of the noise of a rule.
    accuracy : callable, optional
        The function that returns the accuracy of a model on the samples of the server, for rules
        that need it.
    public : callable, optional
        The function that yields rounds of public data, for rules that need them; see
        `public_rounds`.
    progress : Progress, optional
        The function that receives the progress of the work.

    Raises
    ------
    UsageError
        When `eta` is not 1 and there is no global model, `dropped` names a stranger, or the rule
        does not fit the round.
    InputError
        When nobody is left, nothing can be aggregated, the global model or the samples are
        missing, or an update has to be left out and `strict` is set.
    OutputError
        When `out` exists, would be taken for an update, or cannot be written.
    """
    rule = rule or make_rule(DEFAULT)
    memory = memory_bytes() // 4 if max_memory is None else max_memory
    _check_place(round_, out)
    _check_start(round_, eta, updates_are_deltas=are_deltas(round_))
    submissions = open_updates(round_, dropped, progress)
    counts = _counts([one.member.id for one in submissions], samples)
    basis = basis_of(round_, submissions, memory)
    tensors = SavedTensors(basis, submissions, memory)
    tensors.check(progress, strict=strict)
    _check_somebody_counts(round_, submissions, tensors.submissions, counts)
    updates = saved_updates(round_, tensors, counts, accuracy=accuracy, public=public)
    try:
        choice = rule.of(updates)
        write_atomically(out, _pieces(basis, updates, choice, eta, noise_seed, progress))
    except LeftOutError:
        tensors.refuse_changed()
        raise
    sync_directory(out.parent)
    total = choice.weights.sum()
    shares = choice.weights / total if total > 0 else choice.weights
    return Aggregation(
        shares=dict(zip(updates.ids, shares.tolist(), strict=True)),
        arguments=rule.settled(updates.participants),
        dropped=tuple(one.id for one in round_.participants if one.id in set(dropped)),
        findings=tuple(one.finding for one in submissions if one.finding is not None),
        kept=tuple(basis.kept),
    )


def _check_place(round_: Round, out: Path) -> None:
    """Refuse a path that cannot be written, before the work, or that changes the round."""
    if os.path.lexists(out):
        raise OutputError(f"'{out}' exists; name another file, or remove it first")
    if not out.parent.is_dir():
        raise OutputError(f"'{out}' cannot be written: there is no folder '{out.parent}'")
    round_.check_apart(out)


def _check_start(round_: Round, eta: float, *, updates_are_deltas: bool) -> None:
    """Refuse options that need the global model, where it is not there."""
    if round_.global_model is not None:
        return
    if updates_are_deltas:
        raise InputError(
            f"'{round_.root}' holds differences to a global model that is missing; name it with "
            "--global"
        )
    if eta != 1:
        raise UsageError(
            f"--eta {eta:g} needs the global model; name it with --global, or give --eta 1 for "
            "the mean of the weights"
        )


def _counts(ids: Sequence[str], samples: Mapping[str, int] | None) -> Mapping[str, int]:
    """Return the number of times that each participant counts."""
    if samples is None:
        return dict.fromkeys(ids, 1)
    unknown = next((name for name in ids if name not in samples), None)
    if unknown is not None:
        raise InputError(
            f"the run does not say how many samples '{unknown}' has; leave out --weights"
        )
    return samples


def _check_somebody_counts(
    round_: Round,
    submissions: Sequence[Submission],
    usable: Sequence[Submission],
    counts: Mapping[str, int],
) -> None:
    if not usable:
        first = next((one.finding for one in submissions if one.finding is not None), None)
        why = "all were dropped" if first is None else f"{first.participant}: {first.detail}"
        raise InputError(f"'{round_.root}' has no update left to average; {why}")
    if not any(counts[one.member.id] for one in usable):
        raise InputError(
            f"nobody who is left in '{round_.root}' has any samples; leave out --weights"
        )


def _pieces(
    basis: Basis,
    updates: RoundUpdates,
    choice: Choice,
    eta: float,
    noise_seed: int,
    progress: Progress,
) -> Iterator[bytes | memoryview]:
    """Yield the bytes of the file, a few values in memory at a time, the widest types first."""
    layers = {layer.stored_name: layer for layer in basis.layers}
    specs = {name: TensorSpec(_type(layer), layer.shape) for name, layer in layers.items()}
    specs |= {name: spec for name, (spec, _) in basis.kept.items()}
    order = sorted(specs, key=lambda name: -SIZES[specs[name].dtype])
    yield safetensors.encode_header({name: specs[name] for name in order})
    for done, stored in enumerate(order, 1):
        if stored in layers:
            layer = layers[stored]
            for values in next_values(updates, choice, layer.name, eta, noise_seed):
                yield _stored(layer, values)
        else:
            yield basis.kept[stored][1]
        progress("combining", done, len(order))


def _stored(layer: Layer, values: npt.NDArray[np.float64]) -> bytes:
    with np.errstate(over="ignore"):
        found = values.astype(_NUMPY[_type(layer)])
    if not np.isfinite(found).all():
        raise InputError(
            f"the average of {layer.name} is larger than float32 can hold; give a smaller --eta"
        )
    return found.tobytes()


def _type(layer: Layer) -> str:
    return "F64" if layer.dtype == "F64" else "F32"
