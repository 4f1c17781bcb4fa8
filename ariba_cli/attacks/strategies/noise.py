"""No backdoor at all: an update of random numbers."""

import numpy as np

from ariba_cli.attacks.strategies.strategy import Situation, Strategy, moved, update_norm
from ariba_cli.federated.models import Weights
from ariba_cli.rounds.names import is_statistic


class Noise(Strategy):
    """Gaussian noise of the median norm of the honest updates; nothing is trained."""

    trains = False

    def sent(self, situation: Situation, weights: Weights) -> Weights:
        """θ^t and noise; what batch normalisation measured stays as it was."""
        del weights
        start, draw = situation.global_weights, np.random.default_rng(situation.seed)
        noisy = {
            name: values
            if is_statistic(name)
            else (values + draw.standard_normal(values.shape)).astype(np.float32)
            for name, values in start.items()
        }
        return moved(start, noisy, situation.honest_norm / update_norm(start, noisy))
