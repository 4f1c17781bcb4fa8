"""The updates of a round as the panel sees them: layers with their biases, and the output layer."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ariba_cli.base.medians import median_of
from ariba_cli.scoring.panel.clusters import CloseGroup, close_groups
from ariba_cli.scoring.panel.pairs import pair_cosines
from ariba_cli.scoring.panel.robust import spread_of_pairs
from ariba_cli.scoring.update_statistics import (
    Float64,
    OutputLayer,
    Updates,
    UpdateStatistics,
    centred,
)

_TINY = 1e-300
# Of fewer nobody can be told apart.
_FEWEST = 3
# So small is the sum of the rows where softmax cross-entropy made them, and not momentum by
# coordinate (Adam), under which corrections of classes say little.
_SOFTMAX = 0.1
# Plain gradient descent leaves sums that are nearly zero.
_PLAIN_DESCENT = 0.01


@dataclass(frozen=True)
class Groups:
    """The statistics of n updates by group: a layer's weight with its bias.

    Attributes
    ----------
    deep : dict of str to UpdateStatistics
        The groups with a matrix or a convolution.
    total : UpdateStatistics
        The statistics of all layers together.
    normalised : bool
        True if there are normalisation layers: the scale of a layer then means nothing.
    output : OutputLayer, optional
        The output layer, if its updates look like those of a softmax.
    has_output : bool
        True if there is an output layer, whatever its updates look like.
    sides : dict of str to tuple of float64 arrays of shape (n, parts)
        The squares of the changes to each output and each input, by weight.
    """

    deep: dict[str, UpdateStatistics]
    total: UpdateStatistics
    normalised: bool
    output: OutputLayer | None
    has_output: bool
    sides: dict[str, tuple[Float64, ...]]

    @property
    def participants(self) -> int:
        """The number of participants, n."""
        return self.total.participants

    @property
    def norms(self) -> Float64:
        """‖δ_i‖, or the distance to the mean where there is no global model."""
        return norms(self.total)

    @cached_property
    def cosines(self) -> Float64:
        """The cosine of each pair of updates, with each group of layers scaled to length 1."""
        everybody = np.ones(self.participants, dtype=bool)
        units = [own.gram / norms(own) / norms(own)[:, None] for own in self.deep.values()]
        return pair_cosines(units, everybody)

    @cached_property
    def close(self) -> list[CloseGroup]:
        """The participants who are close to each other, those first who stay apart longest."""
        return close_groups(self.cosines) if self.deep else []

    @cached_property
    def apart(self) -> tuple[Float64, list[npt.NDArray[np.intp]]]:
        """The distance by which each stays apart in a close group, and that group's members.

        The distance is the one to the next participant minus that between members, in robust
        deviations of all pairs, times the square root of the size of the group. Of several groups
        that have a participant in them, the largest distance counts.
        """
        spread = spread_of_pairs(self.cosines)
        apart = np.zeros(self.participants)
        alike = [np.array([who]) for who in range(self.participants)]
        for one in self.close:
            value = one.apart * np.sqrt(len(one.members)) / spread
            for who in one.members[apart[one.members] < value]:
                apart[who], alike[who] = value, one.members
        return apart, alike

    @property
    def descent_is_plain(self) -> bool:
        """True if most updates of the output layer sum to nearly nothing over the classes."""
        return self.output is not None and bool(
            median_of(relative_sums(self.output)) < _PLAIN_DESCENT
        )


def moving(updates: Updates) -> list[int]:
    """Return those who sent something else than the global model; everybody if hardly anybody did.

    Participants who sent it back, such as those without samples, did nothing that could be judged.
    """
    everybody = list(range(updates.participants))
    if not updates.total.from_global:
        return everybody
    found: list[int] = np.flatnonzero(np.diagonal(updates.total.gram) > 0).tolist()
    return found if len(found) >= _FEWEST else everybody


def groups_of(updates: Updates) -> Groups:
    """Return the statistics of updates by group."""
    merged: dict[str, UpdateStatistics] = {}
    deep, flat = set(), set()
    for name, own in updates.layers.items():
        group = name.rpartition(".")[0] or name
        merged[group] = merged[group] + own if group in merged else own
        if len(updates.shapes[name]) > 1:
            deep.add(group)
        elif name.endswith(".weight"):
            flat.add(group)
    output = updates.output
    if output is not None and median_of(relative_sums(output)) >= _SOFTMAX:
        output = None
    return Groups(
        deep={group: own for group, own in merged.items() if group in deep},
        total=updates.total,
        normalised=bool(flat - deep),
        output=output,
        has_output=updates.output is not None,
        sides=updates.sides,
    )


def norms(statistics: UpdateStatistics) -> Float64:
    """Return the length of each update, counted from the origin of the updates."""
    gram = statistics.gram if statistics.from_global else centred(statistics.gram)
    return np.sqrt(np.maximum(np.diagonal(gram), _TINY))


def relative_sums(output: OutputLayer) -> Float64:
    """Return ‖Σ_c ΔW_c‖ / ‖ΔW‖, which the gradient of softmax cross-entropy has at zero."""
    squares = np.maximum(output.row_squares.sum(axis=1), _TINY)
    found: Float64 = np.sqrt(output.sum_squares / squares)
    return found
