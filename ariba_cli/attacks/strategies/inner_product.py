"""Inner-product manipulation: the average is turned against the step of the honest."""

from ariba_cli.attacks.strategies.declaration import Declaration, Need, Stage
from ariba_cli.attacks.strategies.forging import Forging, scaled
from ariba_cli.attacks.strategies.honest import Deltas
from ariba_cli.attacks.strategies.strategy import Situation
from ariba_cli.base.declared import Argument


class InnerProduct(Forging):
    """An update of −τ·mean of the honest updates."""

    declaration = Declaration(
        name="ipm",
        stage=Stage.FORGING,
        summary="the mean of the honest updates, reversed and τ times as long",
        equation="δ = −τ·mean δ_i",
        source="Xie et al., Fall of empires: breaking Byzantine-tolerant SGD, 2019",
        purpose="an untargeted loss of accuracy; a small τ gets it past Krum",
        needs=frozenset({Need.HONEST_UPDATES}),
        arguments={
            "tau": Argument("τ, its length over that of the mean; 0.1 against Krum", default=2.0)
        },
    )

    def forged(self, situation: Situation) -> Deltas:
        """Return −τ·mean."""
        return scaled(situation.honest.mean, -self.number("tau"))
