"""Hiding from a look at the norms: an update as long as those of the honest."""

from ariba_cli.attacks.strategies.strategy import Situation, Strategy, moved, update_norm
from ariba_cli.federated.models import Weights


class NormMatching(Strategy):
    """The update is scaled to the median norm of the honest ones."""

    def sent(self, situation: Situation, weights: Weights) -> Weights:
        """The update, shortened or lengthened; one of no length is left so."""
        norm = update_norm(situation.global_weights, weights)
        factor = situation.honest_norm / norm if norm > 0 else 0.0
        return moved(situation.global_weights, weights, factor)
