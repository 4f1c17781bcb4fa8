"""The Gaussian attack: an update of random numbers, without a backdoor."""

import numpy as np
import numpy.typing as npt

from ariba_cli.attacks.strategies.declaration import Declaration, Need, Stage
from ariba_cli.attacks.strategies.honest import moved, update_norm
from ariba_cli.attacks.strategies.strategy import Situation, Strategy
from ariba_cli.base.declared import Argument
from ariba_cli.federated.models import Weights
from ariba_cli.federated.randomness import derived_seed
from ariba_cli.rounds.names import statistics_among


class Noise(Strategy):
    """An update of Gaussian noise, with the median norm of the honest ones or a given deviation."""

    declaration = Declaration(
        name="noise",
        stage=Stage.FORGING,
        summary="random numbers; nothing is trained",
        equation="δ ~ N(0, s²) in each coordinate",
        source="Blanchard et al., Machine learning with adversaries, 2017",
        purpose="an untargeted loss of accuracy",
        needs=frozenset({Need.HONEST_UPDATES}),
        arguments={
            "deviation": Argument(
                "s, the standard deviation of each coordinate",
                otherwise="the s that makes δ as long as the median honest update",
            )
        },
    )

    def sent(self, situation: Situation, weights: Weights) -> Weights:
        """Return θ^t with noise; the statistics of batch normalisation stay as they were."""
        del weights
        start = situation.start
        statistics = statistics_among({name: values.shape for name, values in start.items()})
        noisy = {
            name: values if name in statistics else _noisy(values, situation.seed, name)
            for name, values in start.items()
        }
        factor = self.argument("deviation")
        if factor is None:
            factor = situation.honest.median_norm / update_norm(start, noisy)
        assert isinstance(factor, int | float)
        return moved(start, noisy, factor)


def _noisy(values: npt.NDArray[np.float32], seed: int, name: str) -> npt.NDArray[np.float32]:
    """Return the values with noise seeded by name, so that the order of tensors does not matter."""
    draw = np.random.default_rng(derived_seed(seed, name))
    return (values + draw.standard_normal(values.shape)).astype(np.float32)
