"""A saved round → its updates in the form for rules: all tensors, checked and kept at hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ariba_cli.aggregation.updates import Accuracy, Array, Public, RoundUpdates
from ariba_cli.base.errors import InputError, RefusedFileError, UsageError
from ariba_cli.base.findings import FindingKind
from ariba_cli.base.progress import Progress, no_progress, part_of
from ariba_cli.files.opening import enough_memory
from ariba_cli.formats import peft
from ariba_cli.formats.model import Model
from ariba_cli.formats.tensors import TensorSpec
from ariba_cli.rounds.directory import Round
from ariba_cli.rounds.layers import Layer, agreed_layers
from ariba_cli.rounds.members import Member
from ariba_cli.rounds.names import is_counter, plain_name, plain_names
from ariba_cli.updates.alignment import refuse_twins
from ariba_cli.updates.fragments import TensorValues
from ariba_cli.updates.intake import Submission, open_sent, submissions_of
from ariba_cli.updates.reading import LayerValues, read_layer, read_start

_ADAPTER = "is an adapter, and the average of factors is not the average of the changes they make"


@dataclass(frozen=True)
class Basis:
    """The tensors to aggregate, and the model to which they are added.

    Attributes
    ----------
    layers : sequence of Layer
        The tensors that are aggregated; they are written under their stored names.
    model : Submission, optional
        The global model.
    kept : dict of str to (TensorSpec, bytes)
        The tensors that are copied from the global model, by stored names.
    """

    layers: Sequence[Layer]
    model: Submission | None
    kept: Mapping[str, tuple[TensorSpec, bytes]]


def open_updates(round_: Round, dropped: Sequence[str], progress: Progress) -> list[Submission]:
    """Return the submissions of everybody who is not dropped, with their tensors listed.

    Raises
    ------
    UsageError
        When somebody is dropped who is not there.
    """
    ids = {member.id for member in round_.participants}
    stranger = next((name for name in dropped if name not in ids), None)
    if stranger is not None:
        raise UsageError(f"cannot drop '{stranger}': '{round_.root}' has no such participant")
    kept = [one for one in round_.participants if one.id not in set(dropped)]
    submissions = submissions_of(round_, kept, progress)
    refuse_twins(submissions)
    for submission in submissions:
        if submission.model is not None and submission.model.format == peft.NAME:
            submission.model = None
            submission.reject(FindingKind.REFUSED, _ADAPTER)
    return submissions


def basis_of(round_: Round, submissions: Sequence[Submission], memory: int) -> Basis:
    """Return the tensors to aggregate: those of the global model, or of most updates.

    Raises
    ------
    InputError
        When there is nothing to aggregate, or the global model cannot be added to.
    """
    if round_.global_model is not None:
        return _from_global(round_, round_.global_model, memory)
    catalogs = [one.model.tensors for one in submissions if one.model is not None]
    order = round_.manifest.layers if round_.manifest else ()
    layers = [layer for layer in agreed_layers(catalogs, order) if layer.spec.is_float]
    if catalogs and not layers:
        raise InputError(f"the updates in '{round_.root}' have no tensor of floats in common")
    return Basis(layers, None, {})


def _from_global(round_: Round, member: Member, memory: int) -> Basis:
    """Read the global model, which has the names, shapes and types of all tensors."""
    path = round_.root / member.path
    layers, kept = [], {}
    try:
        model = round_.open(member)
        if model.format == peft.NAME:
            raise RefusedFileError(_ADAPTER)
        with enough_memory(), model.reading() as reading:
            for name, stored in _in_model_order(round_, model):
                spec = model.tensors[stored].spec
                if spec.is_float and not is_counter(name):
                    layers.append(Layer(name, stored, spec.dtype, spec.shape))
                else:
                    kept[stored] = spec, bytes(reading.read(stored))
    except RefusedFileError as error:
        raise InputError(f"'{path}' {error}") from error
    if not layers:
        raise InputError(f"'{path}' has no tensor of floats to average")
    submission = Submission(member, model)
    for layer in layers:
        start, own = read_start(submission, layer, memory)
        if start is not None:
            LayerValues([own], [start]).read_to_the_end(no_progress)
        if own.finding is not None and own.finding.kind is FindingKind.NONFINITE:
            raise InputError(f"'{path}' holds {own.finding.detail}; give a model that is finite")
        if own.finding is not None:
            raise InputError(f"'{path}' {own.finding.detail}")
    return Basis(layers, submission, kept)


def _in_model_order(round_: Round, model: Model) -> list[tuple[str, str]]:
    """Return the plain and the stored names of the global model's tensors."""
    order = round_.manifest.layers if round_.manifest else ()
    position = {plain_name(name): index for index, name in enumerate(order)}
    names = plain_names(model.tensors).items()
    return sorted(names, key=lambda pair: position.get(plain_name(pair[0]), len(position)))


@dataclass
class SavedTensors:
    """The tensors of everybody: those that fit in memory together are held, others read again.

    Attributes
    ----------
    basis : Basis
        The tensors to aggregate.
    submissions : list of Submission
        The submissions that have them; unusable ones are left out once all were checked.
    memory : int
        The number of bytes that may be held.
    """

    basis: Basis
    submissions: list[Submission]
    memory: int
    _held: dict[str, LayerValues] = field(default_factory=dict)
    _free: int = 0

    def check(self, progress: Progress, *, strict: bool) -> None:
        """Read all tensors of everybody once, and leave out participants with an unusable one.

        Raises
        ------
        InputError
            At the first of these, with `strict`.
        """
        self._free = self.memory
        for index, layer in enumerate(self.basis.layers):
            told = part_of(progress, index, len(self.basis.layers))
            values = read_layer(self.submissions, layer, self.memory, told)
            values.read_to_the_end(told)
            self._hold(layer.name, values)
            wrong = next((one for one in self.submissions if one.finding is not None), None)
            if strict and wrong is not None and wrong.finding is not None:
                raise InputError(f"{wrong.member.id}: {wrong.finding.detail} (--strict stops here)")
        self.submissions = [one for one in self.submissions if one.finding is None]
        self._held = {name: values.without_left_out() for name, values in self._held.items()}

    def values(self, layer: Layer) -> Sequence[TensorValues] | Array:
        """Return the values of everybody in one tensor.

        Raises
        ------
        InputError
            When a file has changed since it was checked.
        """
        if layer.name in self._held:
            return self._held[layer.name].tensors
        values = read_layer(self.submissions, layer, self.memory, no_progress)
        self.refuse_changed()
        return values.tensors

    def start(self, layer: Layer) -> TensorValues | None:
        """Return θ^t of one tensor; None without a global model."""
        model = self.basis.model
        return None if model is None else read_start(model, layer, self.memory)[0]

    def refuse_changed(self) -> None:
        """Raise InputError when a file of somebody who was checked can no longer be read."""
        wrong = next((one for one in self.submissions if one.finding is not None), None)
        if wrong is not None and wrong.finding is not None:
            raise InputError(f"{wrong.member.id}: {wrong.finding.detail}, but it was fine before")

    def _hold(self, name: str, values: LayerValues) -> None:
        held = [values.tensors] if isinstance(values.tensors, np.ndarray) else values.tensors
        size = sum(one.nbytes for one in held if isinstance(one, np.ndarray))
        if size <= self._free:
            self._free -= size
            self._held[name] = values


def are_deltas(round_: Round) -> bool:
    """Return whether a round says that it holds differences; others are taken to hold weights."""
    return round_.manifest is not None and round_.manifest.kind == "difference"


def saved_updates(
    round_: Round,
    tensors: SavedTensors,
    samples: Mapping[str, int],
    *,
    accuracy: Accuracy | None = None,
    public: Public | None = None,
) -> RoundUpdates:
    """Return the updates of a saved round, all of which were checked."""
    layers = {layer.name: layer for layer in tensors.basis.layers}
    ids = tuple(one.member.id for one in tensors.submissions)
    away = {one.id for one in round_.participants} - set(ids)
    return RoundUpdates(
        ids=ids,
        shapes={name: layer.shape for name, layer in layers.items()},
        values=lambda name: tensors.values(layers[name]),
        start=lambda name: tensors.start(layers[name]),
        has_global=tensors.basis.model is not None,
        updates_are_deltas=are_deltas(round_),
        samples=tuple(samples[name] for name in ids),
        sent=lambda: open_sent(round_, away, no_progress),
        memory=tensors.memory,
        accuracy=accuracy,
        public=public,
    )
