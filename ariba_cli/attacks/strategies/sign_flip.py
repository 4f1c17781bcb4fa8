"""Sign flipping: the mean step of the honest participants, reversed."""

from ariba_cli.attacks.strategies.declaration import Declaration, Need, Stage
from ariba_cli.attacks.strategies.forging import Forging, scaled
from ariba_cli.attacks.strategies.honest import Deltas
from ariba_cli.attacks.strategies.strategy import Situation


class SignFlip(Forging):
    """An update of −mean of the honest updates."""

    declaration = Declaration(
        name="sign-flip",
        stage=Stage.FORGING,
        summary="the mean of the honest updates, reversed",
        equation="δ = −mean δ_i",
        source="Allen-Zhu et al., Byzantine-resilient non-convex SGD, 2021",
        purpose="an untargeted loss of accuracy",
        needs=frozenset({Need.HONEST_UPDATES}),
    )

    def forged(self, situation: Situation) -> Deltas:
        """Return the mean, with its sign changed."""
        return scaled(situation.honest.mean, -1.0)
