"""Model replacement (Bagdasaryan et al. 2020; arXiv 2202.04311, Eqs. 3 and 4)."""

from ariba_cli.attacks.strategies.declaration import Declaration, Stage
from ariba_cli.attacks.strategies.honest import moved
from ariba_cli.attacks.strategies.strategy import Situation, Strategy
from ariba_cli.federated.models import Weights


class Replacement(Strategy):
    """A strategy that sends θ̂_i = θ^t + σ_i (θ_i − θ^t).

    With Σ_i σ_i = n/η averaging puts θ_i in the place of θ^t; a smaller σ goes part of the way.
    """

    declaration = Declaration(
        name="replacement",
        stage=Stage.SCALING,
        summary="the update is scaled by σ_i, so that the average of the round becomes its model "
        "(--sigma)",
        equation="θ^t + σ_i·(θ_i − θ^t), Σ σ_i = σ = n/η",
        source="Bagdasaryan et al., How to backdoor federated learning, 2020",
        purpose="a backdoor in one round",
    )

    def sent(self, situation: Situation, weights: Weights) -> Weights:
        """Return the boosted update."""
        return moved(situation.start, weights, situation.sigma_i)
