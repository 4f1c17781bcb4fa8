"""No backdoor at all: an update of random numbers."""

import numpy as np
import numpy.typing as npt

from ariba_cli.attacks.strategies.strategy import Situation, Strategy, moved, update_norm
from ariba_cli.federated.models import Weights
from ariba_cli.federated.randomness import derived_seed
from ariba_cli.rounds.names import statistics_among


class Noise(Strategy):
    """Gaussian noise of the median norm of the honest updates; nothing is trained."""

    trains = False

    def sent(self, situation: Situation, weights: Weights) -> Weights:
        """θ^t and noise; what batch normalisation measured stays as it was."""
        del weights
        start = situation.global_weights
        statistics = statistics_among({name: values.shape for name, values in start.items()})
        noisy = {
            name: values if name in statistics else _noisy(values, situation.seed, name)
            for name, values in start.items()
        }
        return moved(start, noisy, situation.honest_norm / update_norm(start, noisy))


def _noisy(values: npt.NDArray[np.float32], seed: int, name: str) -> npt.NDArray[np.float32]:
    """Drawn by name, so that the order of tensors does not matter."""
    draw = np.random.default_rng(derived_seed(seed, name))
    return (values + draw.standard_normal(values.shape)).astype(np.float32)
