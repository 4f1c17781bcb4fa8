"""Hiding from a look at the norms: an update as long as those of the honest."""

from ariba_cli.attacks.strategies.declaration import Declaration, Need, Stage
from ariba_cli.attacks.strategies.honest import moved, update_norm
from ariba_cli.attacks.strategies.strategy import Situation, Strategy
from ariba_cli.federated.models import Weights


class NormMatching(Strategy):
    """The update is scaled to the median norm of the honest ones."""

    declaration = Declaration(
        name="norm-matching",
        stage=Stage.SCALING,
        summary="the update is scaled to the median norm of the honest ones",
        equation="δ·m/‖δ‖, m the median of ‖δ_i‖ over the honest",
        source="this tool",
        purpose="hiding from a look at norms",
        needs=frozenset({Need.HONEST_UPDATES}),
        undoes=("replacement",),
    )

    def sent(self, situation: Situation, weights: Weights) -> Weights:
        """The update, shortened or lengthened; one of no length is left so."""
        norm = update_norm(situation.start, weights)
        factor = situation.honest.median_norm / norm if norm > 0 else 0.0
        return moved(situation.start, weights, factor)
