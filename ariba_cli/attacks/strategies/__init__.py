"""Strategies: what the attacker does with a locally trained model before sending it."""

from typing import Protocol

from ariba_cli.attacks.strategies.replacement import replacement
from ariba_cli.federated.models import Weights


class Strategy(Protocol):
    """Makes the update that a compromised participant sends."""

    def __call__(self, global_weights: Weights, trained: Weights, sigma_i: float) -> Weights:
        """The weights to send, from θ^t, the trained θ_i, and this participant's σ_i."""
        ...


STRATEGIES: dict[str, Strategy] = {"replacement": replacement}
