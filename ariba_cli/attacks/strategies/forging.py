"""The base of the strategies that compute an update from those of the honest, and train nothing."""

from abc import abstractmethod

from ariba_cli.attacks.strategies.honest import Deltas
from ariba_cli.attacks.strategies.strategy import Situation, Strategy
from ariba_cli.base.errors import UsageError
from ariba_cli.federated.models import Weights


class Forging(Strategy):
    """A strategy whose update is computed from the honest ones."""

    @abstractmethod
    def forged(self, situation: Situation) -> Deltas:
        """Return the update δ to send, for each tensor that is trained."""

    def sent(self, situation: Situation, weights: Weights) -> Weights:
        """Return θ^t + δ; for the statistics of batch normalisation, the mean of the honest."""
        del weights
        return situation.honest.forged(self.forged(situation))


def scaled(deltas: Deltas, factor: float) -> Deltas:
    """Return factor·δ."""
    return {name: factor * values for name, values in deltas.items()}


def check_spread(name: str, participants: int, compromised: int) -> None:
    """Refuse a single honest participant, whose updates have no spread.

    Raises
    ------
    UsageError
        Says how many participants are needed.
    """
    if participants - compromised < 2:
        raise UsageError(f"{name} needs the spread of at least two honest participants")
