"""Model replacement (Bagdasaryan et al. 2020; arXiv 2202.04311, Eqs. 3 and 4)."""

from ariba_cli.attacks.strategies.strategy import Situation, Strategy, moved
from ariba_cli.federated.models import Weights


class Replacement(Strategy):
    """θ̂_i = θ^t + σ_i (θ_i − θ^t).

    With Σ_i σ_i = n/η averaging puts θ_i in the place of θ^t; a smaller σ goes part of the way.
    """

    def sent(self, situation: Situation, weights: Weights) -> Weights:
        """The update, boosted."""
        return moved(situation.global_weights, weights, situation.sigma_i)
