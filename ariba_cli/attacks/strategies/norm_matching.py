"""Norm matching: an update as long as the honest ones, or as a bound allows."""

from ariba_cli.attacks.strategies.declaration import Declaration, Need, Stage
from ariba_cli.attacks.strategies.honest import moved, update_norm
from ariba_cli.attacks.strategies.strategy import Situation, Strategy
from ariba_cli.base.declared import Argument
from ariba_cli.federated.models import Weights


class NormMatching(Strategy):
    """A strategy that scales the update to the median norm of the honest ones, or to a bound S."""

    declaration = Declaration(
        name="norm-matching",
        stage=Stage.SCALING,
        summary="the update is scaled to the median norm of the honest ones, or to a bound: "
        "train-and-scale",
        equation="δ·S/‖δ‖",
        source="Bagdasaryan et al., How to backdoor federated learning, 2020",
        purpose="an update whose norm is ordinary",
        needs=frozenset({Need.HONEST_UPDATES}),
        arguments={
            "bound": Argument(
                "S, the norm that the update gets", otherwise="the median norm of the honest"
            )
        },
        undoes=("replacement",),
    )

    def sent(self, situation: Situation, weights: Weights) -> Weights:
        """Return the update, shortened or lengthened; an update of length 0 is left so."""
        norm = update_norm(situation.start, weights)
        given = self.argument("bound") is not None
        bound = self.number("bound") if given else situation.honest.median_norm
        factor = bound / norm if norm > 0 else 0.0
        return moved(situation.start, weights, factor)
