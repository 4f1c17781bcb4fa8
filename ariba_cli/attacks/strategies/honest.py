"""The honest updates of a round, as seen by an attacker who knows all of it."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ariba_cli.base.medians import median_of
from ariba_cli.federated.models import Weights
from ariba_cli.rounds.names import statistics_among

Deltas = dict[str, npt.NDArray[np.float64]]

_VARIANCE = "running_var"


class HonestUpdates:
    """The updates δ_i = θ_i − θ^t of the honest participants of a round.

    The statistics of batch normalisation are not weights: they are in no norm and no distance.

    Parameters
    ----------
    start : Weights
        θ^t.
    sent : mapping of str to Weights
        θ_i, by id; the order does not matter.
    """

    def __init__(self, start: Weights, sent: Mapping[str, Weights]) -> None:
        self.start = start
        self._sent = [sent[name] for name in sorted(sent)]
        statistics = statistics_among({name: values.shape for name, values in start.items()})
        self.trained = [name for name in sorted(start) if name not in statistics]

    def __len__(self) -> int:
        return len(self._sent)

    def delta(self, index: int) -> Deltas:
        """Return the update of one of them, in float64."""
        return {
            name: self._sent[index][name].astype(np.float64) - self.start[name]
            for name in self.trained
        }

    @cached_property
    def median_norm(self) -> float:
        """Return the median of ‖δ_i‖₂; not finite where one of them is not."""
        return median_of(self.norms)

    @cached_property
    def norms(self) -> list[float]:
        """Return ‖δ_i‖₂ of each."""
        return [update_norm(self.start, weights) for weights in self._sent]

    @cached_property
    def mean(self) -> Deltas:
        """Return the mean of the updates."""
        return {name: self._mean_sent(name) - self.start[name] for name in self.trained}

    @cached_property
    def deviation(self) -> Deltas:
        """Return the standard deviation of each coordinate, divided by n − 1 (ddof = 1)."""
        found = {}
        for name in self.trained:
            mean = self._mean_sent(name)
            squares = np.zeros_like(mean)
            for one in self._sent:
                squares += np.square(one[name] - mean)
            found[name] = np.sqrt(squares / (len(self) - 1))
        return found

    @cached_property
    def centred_gram(self) -> npt.NDArray[np.float64]:
        """Return ⟨δ_i − mean, δ_j − mean⟩, of shape (honest, honest).

        It is computed without BLAS, whose last bits depend on threads.
        """
        gram = np.zeros((len(self), len(self)))
        for name in self.trained:
            rows = np.stack([one[name].astype(np.float64).ravel() for one in self._sent])
            rows -= self._mean_sent(name).ravel()
            gram += np.einsum("ik,jk->ij", rows, rows)
        return gram

    def forged(self, delta: Deltas) -> Weights:
        """Return the weights of a forged update; of statistics it has the mean of the honest."""
        result = {}
        with np.errstate(over="ignore"):
            for name, values in self.start.items():
                wide = values + delta[name] if name in delta else self._mean_sent(name)
                result[name] = wide.astype(np.float32)
        return result

    def _mean_sent(self, name: str) -> npt.NDArray[np.float64]:
        """Return the mean of one tensor, without a second copy of it for each participant."""
        total = np.zeros(self.start[name].shape)
        for one in self._sent:
            total += one[name]
        found: npt.NDArray[np.float64] = total / len(self)
        return found


def moved(start: Weights, weights: Weights, factor: float) -> Weights:
    """Return θ^t + factor·(θ − θ^t), computed in float64.

    A variance that batch normalisation has measured is never less than 0: any server would see
    that, and no network could use it.
    """
    result = {}
    with np.errstate(over="ignore"):
        for name, values in start.items():
            wide = values.astype(np.float64)
            wide += factor * (weights[name] - wide)
            if name.endswith(_VARIANCE):
                wide = np.maximum(wide, 0)
            result[name] = wide.astype(np.float32)
    return result


def update_norm(start: Weights, weights: Weights) -> float:
    """Return ‖θ − θ^t‖₂ over the weights, without the statistics of batch normalisation."""
    statistics = statistics_among({name: values.shape for name, values in start.items()})
    return float(
        np.sqrt(
            sum(
                np.square(weights[name].astype(np.float64) - values).sum()
                for name, values in sorted(start.items())
                if name not in statistics
            )
        )
    )
