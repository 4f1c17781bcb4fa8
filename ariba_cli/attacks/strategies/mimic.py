"""Mimic: all compromised send what one of the honest sends, who then weighs too much."""

import numpy as np

from ariba_cli.attacks.strategies.declaration import Declaration, Need, Stage
from ariba_cli.attacks.strategies.forging import Forging
from ariba_cli.attacks.strategies.honest import Deltas, HonestUpdates
from ariba_cli.attacks.strategies.strategy import Situation
from ariba_cli.base.declared import Argument
from ariba_cli.base.errors import UsageError
from ariba_cli.federated.models import Architecture


class Mimic(Forging):
    """A copy of one honest update."""

    declaration = Declaration(
        name="mimic",
        stage=Stage.FORGING,
        summary="a copy of one honest update, which then weighs too much",
        equation="δ = δ_j, j = argmax |⟨z, δ_j − mean⟩|, z the first principal direction",
        source="Karimireddy et al., Byzantine-robust learning on heterogeneous datasets, 2022",
        purpose="a bias towards one participant where data differ",
        needs=frozenset({Need.HONEST_UPDATES}),
        arguments={
            "copied": Argument(
                "the honest participant to copy, counted from 0 in the order of ids",
                otherwise="the one farthest out along the direction in which they differ most",
                integer=True,
            )
        },
    )

    def check_fits(self, architecture: Architecture, participants: int, compromised: int) -> None:
        """Refuse to copy somebody who is not there."""
        del architecture
        copied, honest = self.argument("copied"), participants - compromised
        if isinstance(copied, int) and copied >= honest:
            raise UsageError(
                f"copied of mimic is {copied}; with {honest} honest participants it can be at most "
                f"{honest - 1}"
            )

    def forged(self, situation: Situation) -> Deltas:
        """Return the update of the one who is copied."""
        copied = self.argument("copied")
        index = copied if isinstance(copied, int) else farthest_out(situation.honest)
        return situation.honest.delta(index)


def farthest_out(honest: HonestUpdates) -> int:
    """Return the index of the participant farthest out along the first principal direction.

    With the Gram matrix G = X·Xᵀ of centred updates, X·z is √λ times the first eigenvector of G.
    """
    _, vectors = np.linalg.eigh(honest.centred_gram)
    return int(np.argmax(np.abs(vectors[:, -1])))
