"""The input of detectors of scope *update*: inner products of the updates, and no update itself.

Norms, distances, cosines and projections are all functions of the Gram matrix G = Δ·Δᵀ of the
updates δ_i, so that a participant is left out by deleting a row and a column.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ariba_cli.native.centring import centre

Float64 = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


class Statistic(StrEnum):
    """A statistic that can be gathered in addition to the Gram matrix."""

    MEDIAN = "median"
    SIGNS = "signs"
    OUTPUT = "output"
    SIDES = "sides"


@dataclass(frozen=True)
class UpdateStatistics:
    """The statistics of one layer of n updates, or of several layers together.

    Attributes
    ----------
    gram : float64 array of shape (n, n)
        ⟨δ_i, δ_j⟩.
    values : int
        The number of coordinates of an update.
    from_global : bool
        True if δ_i = θ_i − θ^t. If not, δ_i is counted from one of the participants, and only
        differences of updates mean anything.
    along_global : float64 array of shape (n,), optional
        ⟨δ_i, θ^t⟩, where there is a global model.
    global_square : float
        ‖θ^t‖².
    along_median : float64 array of shape (n,), optional
        ⟨δ_i, μ⟩ for the coordinate-wise median μ of all δ_i, where it was asked for.
    median_square : float
        ‖μ‖².
    agreement : int64 array of shape (n,), optional
        The number of coordinates in which δ_i has the sign of the majority, where asked for.
    with_majority : int
        The number of coordinates that have a majority of one sign.
    """

    gram: Float64
    values: int
    from_global: bool
    along_global: Float64 | None = None
    global_square: float = 0.0
    along_median: Float64 | None = None
    median_square: float = 0.0
    agreement: Counts | None = None
    with_majority: int = 0

    @property
    def participants(self) -> int:
        """The number of participants, n."""
        return len(self.gram)

    def keeping(self, which: Sequence[int]) -> Self:
        """Return the statistics of some of the participants; the median stays that of all."""
        index = np.asarray(which, dtype=np.intp)
        return type(self)(
            gram=self.gram[np.ix_(index, index)],
            values=self.values,
            from_global=self.from_global,
            along_global=None if self.along_global is None else self.along_global[index],
            global_square=self.global_square,
            along_median=None if self.along_median is None else self.along_median[index],
            median_square=self.median_square,
            agreement=None if self.agreement is None else self.agreement[index],
            with_majority=self.with_majority,
        )

    def __add__(self, other: "UpdateStatistics") -> "UpdateStatistics":
        """Return the statistics of two layers of the same participants together."""
        return UpdateStatistics(
            gram=self.gram + other.gram,
            values=self.values + other.values,
            from_global=self.from_global and other.from_global,
            along_global=_sum(self.along_global, other.along_global),
            global_square=self.global_square + other.global_square,
            along_median=_sum(self.along_median, other.along_median),
            median_square=self.median_square + other.median_square,
            agreement=_sum(self.agreement, other.agreement),
            with_majority=self.with_majority + other.with_majority,
        )


@dataclass(frozen=True)
class OutputLayer:
    """The changes that n updates make to the rows and biases of the output layer, by class.

    Attributes
    ----------
    layer, bias_layer : str
        The names of the weight and of the bias.
    row_squares : float64 array of shape (n, classes)
        ‖row c of δ_i‖².
    sum_squares : float64 array of shape (n,)
        ‖Σ_c row c of δ_i‖².
    bias : float64 array of shape (n, classes)
        δ_i of the bias.
    """

    layer: str
    bias_layer: str
    row_squares: Float64
    sum_squares: Float64
    bias: Float64

    def keeping(self, which: Sequence[int]) -> "OutputLayer":
        """Return the changes that some of the participants make."""
        index = np.asarray(which, dtype=np.intp)
        return OutputLayer(
            self.layer,
            self.bias_layer,
            self.row_squares[index],
            self.sum_squares[index],
            self.bias[index],
        )


@dataclass(frozen=True)
class Updates:
    """The complete input of a detector of scope *update*.

    Attributes
    ----------
    total : UpdateStatistics
        The statistics of all examined layers together.
    layers : dict of str to UpdateStatistics
        The statistics of each of them, in model order, for the same participants.
    shapes : dict of str to tuple of int
        Their shapes.
    output : OutputLayer, optional
        The output layer, where it was asked for, and the model has one.
    sides : dict of str to tuple of float64 arrays of shape (n, parts)
        ‖part of δ_i‖² by weight, for each output and for each input, where they were asked for.
    """

    total: UpdateStatistics
    layers: dict[str, UpdateStatistics]
    shapes: dict[str, tuple[int, ...]]
    output: OutputLayer | None = None
    sides: dict[str, tuple[Float64, ...]] = field(default_factory=dict)

    @property
    def participants(self) -> int:
        """The number of participants, n."""
        return self.total.participants

    def keeping(self, which: Sequence[int]) -> "Updates":
        """Return the same of some of the participants."""
        index = np.asarray(which, dtype=np.intp)
        return Updates(
            total=self.total.keeping(which),
            layers={name: own.keeping(which) for name, own in self.layers.items()},
            shapes=self.shapes,
            output=None if self.output is None else self.output.keeping(which),
            sides={
                name: tuple(squares[index] for squares in own) for name, own in self.sides.items()
            },
        )


def squared_distances(gram: Float64) -> Float64:
    """Return ‖δ_i − δ_j‖² of shape (n, n), zero where two updates are equal."""
    squares = np.diagonal(gram)
    distances: Float64 = squares[:, None] + squares - 2 * gram
    return distances.clip(min=0.0)


def centred(gram: Float64) -> Float64:
    """Return the Gram matrix of δ_i − mean_i δ_i, of shape (n, n)."""
    rows = gram.copy()
    centre(rows)
    both = rows.T.copy()
    centre(both)
    return both


def cosines(gram: Float64) -> Float64:
    """Return the cosines of all pairs, of shape (n, n); 0 with an update of zero."""
    norms = np.sqrt(np.maximum(np.diagonal(gram), 0.0))
    lengths = norms[:, None] * norms
    found: Float64 = np.divide(gram, lengths, out=np.zeros_like(gram), where=lengths > 0)
    return found.clip(-1.0, 1.0)


def _sum(one: Any, other: Any) -> Any:
    return None if one is None or other is None else one + other
