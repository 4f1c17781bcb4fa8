"""How the server makes the next global model."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ariba_cli.rounds.names import statistics_among

Floats = Mapping[str, npt.NDArray[np.floating]]
Float32s = dict[str, npt.NDArray[np.float32]]


class FedAvg:
    """θ + η Σ_i (c_i/c) (θ_i − θ) with c = Σ_i c_i, of which one θ_i is held at a time.

    With all c_i equal it is Eq. 1 of arXiv 2202.04311; with the number of samples of each
    participant, the average of McMahan et al. (arXiv 1602.05629). All sums are in float64.

    What batch normalisation has measured is averaged with η = 1 whatever η is: it is no step
    of training, and a variance that is extrapolated can come out negative.

    Parameters
    ----------
    start : θ, by tensor name.
    updates_are_deltas : whether what is added are the differences θ_i − θ already.
    """

    def __init__(self, start: Floats, *, updates_are_deltas: bool = False) -> None:
        self._start = start
        self._updates_are_deltas = updates_are_deltas
        self._statistics = statistics_among({name: values.shape for name, values in start.items()})
        self._totals = {name: np.zeros(values.shape) for name, values in start.items()}
        self._count = 0

    def add(self, update: Floats, count: int = 1) -> None:
        """Take in what a participant sent, which counts `count` times."""
        for name, total in self._totals.items():
            origin = 0.0 if self._updates_are_deltas else self._start[name]
            moved = np.subtract(update[name], origin, dtype=np.float64)
            moved *= count
            total += moved
        self._count += count

    def average(self, name: str, eta: float) -> npt.NDArray[np.float64]:
        """One tensor of the next global model; η is the server's learning rate."""
        step = 1.0 if name in self._statistics else eta
        return self._start[name].astype(np.float64) + step / self._count * self._totals[name]


def fedavg(global_weights: Float32s, updates: Sequence[Float32s], eta: float) -> Float32s:
    """θ + (η/n) Σ_i (θ_i − θ), in float64 (arXiv 2202.04311, Eq. 1); see `FedAvg`.

    What float32 cannot hold becomes infinite.
    """
    averaging = FedAvg(global_weights)
    for update in updates:
        averaging.add(update)
    with np.errstate(over="ignore", invalid="ignore"):
        return {name: averaging.average(name, eta).astype(np.float32) for name in global_weights}
