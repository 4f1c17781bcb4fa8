"""The updates of one round in the form for rules: tensor by tensor, from files or from memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import numpy.typing as npt

from ariba_cli.rounds.names import statistics_among
from ariba_cli.scoring.gathering import Origin, gather
from ariba_cli.scoring.update_statistics import UpdateStatistics
from ariba_cli.updates.fragments import FragmentLayout, Fragments, TensorValues
from ariba_cli.updates.intake import Sent

Array = npt.NDArray[np.floating]
Float64 = npt.NDArray[np.float64]
Indices = Sequence[int]
# Returns how large a share of the server's samples a model gets right, in [0, 1].
Accuracy = Callable[[Mapping[str, npt.NDArray[np.float32]]], float]

# Yields rounds that were trained on public data.
Public = Callable[[], Iterator["RoundUpdates"]]

# What is read at a time of values that stay in their files, in bytes.
_CHUNK_BYTES = 2**27
# How many values of all participants are combined at a time: as many as a cache holds.
_BLOCK_VALUES = 2**17


@dataclass(frozen=True, eq=False)
class RoundUpdates:
    """The updates of n participants, all of them finite and of the same shapes.

    Attributes
    ----------
    ids : tuple of str
        The participants, in id order.
    shapes : dict of str to tuple of int
        The shapes of the tensors that are aggregated, in model order.
    values : callable
        The function that returns everybody's values of the named tensor; see `Fragments`.
    start : callable
        The function that returns θ^t of the named tensor; None without a global model, which counts
        as zeros.
    has_global : bool
        True if there is a global model.
    updates_are_deltas : bool
        True if participants sent differences from θ^t.
    samples : tuple of int
        The number of times that each of them counts.
    sent : callable
        The function that returns the same updates in the form for an audit.
    memory : int
        The number of bytes of a tensor that may be held.
    accuracy : callable, optional
        The function that returns the accuracy of a model on the samples of the server, if it has
        some.
    public : callable, optional
        The function that yields rounds that were trained on public data, if there are some.
    """

    ids: tuple[str, ...]
    shapes: dict[str, tuple[int, ...]]
    values: Callable[[str], Sequence[TensorValues] | Array]
    start: Callable[[str], TensorValues | None]
    has_global: bool
    updates_are_deltas: bool
    samples: tuple[int, ...]
    sent: Callable[[], Sent]
    memory: int
    accuracy: Accuracy | None = None
    public: Public | None = None

    @property
    def participants(self) -> int:
        """The number of participants, n."""
        return len(self.ids)

    @cached_property
    def statistics(self) -> frozenset[str]:
        """The tensors that hold the statistics of batch normalisation, which nobody trains."""
        return statistics_among(self.shapes)

    @cached_property
    def whole(self) -> UpdateStatistics:
        """The inner products of whole updates, over the tensors that are trained.

        Without a global model they are counted from one of the participants, and only
        differences of updates mean anything.
        """
        found = [
            gather(
                self._fragments(name, range(self.participants)), self._origin(name), ()
            ).statistics
            for name, shape in self.shapes.items()
            if name not in self.statistics and prod(shape) > 0
        ]
        # A model of nothing that is trained tells nobody apart.
        if not found:
            return UpdateStatistics(np.zeros((self.participants,) * 2), 0, from_global=True)
        first, *others = found
        return sum(others, start=first)

    def blocks(self, name: str, who: Indices) -> Iterator[tuple[slice, Float64]]:
        """Yield θ_i − θ^t of some participants in one tensor, a few coordinates at a time.

        Parameters
        ----------
        name : str
            The name of the tensor.
        who : sequence of int
            The places of these participants among all, at least one.

        Yields
        ------
        slice
            The coordinates, in their order.
        float64 array of shape (len(who), coordinates)
            The differences there, in an array that the caller may change.
        """
        if prod(self.shapes[name]) == 0:
            return
        start = None if self.updates_are_deltas else self.start(name)
        width = max(1, _BLOCK_VALUES // len(who))
        for first, values in self._fragments(name, who).chunks():
            for column in range(0, values.shape[1], width):
                part = values[:, column : column + width]
                which = slice(first + column, first + column + part.shape[1])
                moved = part.astype(np.float64)
                if start is not None:
                    moved -= start[which]
                yield which, moved

    def _fragments(self, name: str, who: Indices) -> Fragments:
        values, size = self.values(name), prod(self.shapes[name])
        if len(who) < self.participants:
            values = [values[index] for index in who]
        chunk = min(_CHUNK_BYTES, self.memory // 4)
        return Fragments(values, FragmentLayout(size, 1), chunk_bytes=chunk)

    def _origin(self, name: str) -> Origin:
        return Origin(self.start(name), self.updates_are_deltas)
