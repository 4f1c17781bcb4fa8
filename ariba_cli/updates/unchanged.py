"""Participants who returned the global model unchanged: not selected, or without samples."""

from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.base.parallel import one_blas_thread, thread_map
from ariba_cli.files.opening import enough_memory
from ariba_cli.formats.factors import Change
from ariba_cli.formats.model import Model, Reading, Scratch, in_one_piece, sum_of_squares
from ariba_cli.rounds.layers import Layer
from ariba_cli.updates.intake import Sent, Submission, why_not_offered

# Nearly always some of the first values tell.
_FIRST = 2**12


def unchanged(sent: Sent, layers: Sequence[Layer]) -> list[Submission]:
    """Return the submissions whose update is zero in every layer.

    Such an update says nothing about its sender, and shifts the mean. The first bytes of a small
    layer identify most participants who did train.

    Parameters
    ----------
    sent : Sent
        All models of the round.
    layers : Sequence[Layer]
        The layers that hold weights.

    Returns
    -------
    list[Submission]
        The unchanged submissions; empty where the global model is missing or lacks a layer.
    """
    scored = sorted((one for one in layers if one.can_be_scored), key=lambda one: one.spec.values)
    start = None
    if not sent.updates_are_deltas:
        start = None if sent.global_model is None else sent.global_model.model
        if start is None or not _holds(start, scored):
            return []
    if not scored:
        return []

    try:
        # It is opened once for all participants, and its bytes are read by their positions.
        with nullcontext() if start is None else start.reading() as known:
            return _unchanged(sent.submissions, known, scored)
    except RefusedFileError:
        # The global model changed meanwhile, so that nobody is known to have sent it back.
        return []


def _unchanged(
    submissions: Sequence[Submission], known: Reading | None, layers: Sequence[Layer]
) -> list[Submission]:
    """Return those whose layers are the known ones, or zero where none are given."""

    def is_unchanged(one: Submission) -> bool:
        if one.finding is not None or one.model is None or not _holds(one.model, layers):
            return False
        try:
            with enough_memory():
                return _is_zero(one.model, layers) if known is None else _same(one.model, known)
        except RefusedFileError:
            # It is left out for that as soon as it is scored.
            return False

    def _same(model: Model, known: Reading) -> bool:
        with model.reading() as own:
            return all(_same_layer(own, known, layer) for layer in layers)

    models = (one.model for one in submissions if one.model is not None)
    readers = next((one.readers for one in models), None)
    with one_blas_thread():
        found = list(thread_map(is_unchanged, submissions, workers=readers))
    return [one for one, same in zip(submissions, found, strict=True) if same]


def _holds(model: Model, layers: Sequence[Layer]) -> bool:
    return all(why_not_offered(model, layer) is None for layer in layers)


def _is_zero(model: Model, layers: Sequence[Layer]) -> bool:
    with model.reading() as reading:
        names = [str(layer.name_in(model.tensors)) for layer in layers]
        pieces = (
            (name, piece) for name in names for piece in reading.pieces(name, Scratch(), _FIRST)
        )
        return all(sum_of_squares(model.tensors[name].values(piece)) == 0 for name, piece in pieces)


def _same_layer(own: Reading, known: Reading, layer: Layer) -> bool:
    name, other = (str(layer.name_in(one.model.tensors)) for one in (own, known))
    tensor, start = own.model.tensors[name], known.model.tensors[other]
    if isinstance(tensor, Change) or isinstance(start, Change):
        # The factors are compared; the change that they stand for is never formed.
        seen = [
            (one.scale, one.transposed) if isinstance(one, Change) else None
            for one in (tensor, start)
        ]
        return seen[0] == seen[1] and own.read(name) == known.read(other)
    if in_one_piece(tensor) and in_one_piece(start) and tensor.spec == start.spec:
        pieces = zip(
            own.pieces(name, Scratch(), _FIRST),
            known.pieces(other, Scratch(), _FIRST),
            strict=True,
        )
    else:
        pieces = zip([own.read(name)], [known.read(other)], strict=True)
    return all(
        np.array_equal(tensor.values(first)[:], start.values(second)[:]) for first, second in pieces
    )
