"""What a strategy can change: what is trained on, what is minimised, and what is sent."""

from dataclasses import dataclass

import numpy as np

from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.federated.datasets import FloatArray, LabelArray
from ariba_cli.federated.models import Weights
from ariba_cli.federated.training import Objective
from ariba_cli.rounds.names import statistics_among

_VARIANCE = "running_var"


@dataclass(frozen=True)
class Situation:
    """What a compromised participant knows when it sends its update.

    Attributes
    ----------
    global_weights : θ^t.
    sigma_i : σ_i, its own part of σ.
    honest_norm : the median of ‖θ_i − θ^t‖₂ over the honest participants of the round.
    seed : for what it draws at random.
    """

    global_weights: Weights
    sigma_i: float
    honest_norm: float
    seed: int


class Strategy:
    """Changes nothing. What a strategy does not override, it leaves to the others.

    Attributes
    ----------
    trains : whether local training is of any use to it.
    """

    trains = True

    def __init__(self, settings: AttackSettings) -> None:
        self.settings = settings

    def relabelled(self, targets: FloatArray, labels: LabelArray) -> FloatArray:
        """What the participant's own samples are taught as, of shape (samples, classes)."""
        del labels
        return targets

    def objective(self) -> Objective | None:
        """What is minimised in the place of the cross-entropy."""
        return None

    def sent(self, situation: Situation, weights: Weights) -> Weights:
        """The weights to send, from those that training, or the strategy before, has made."""
        del situation
        return weights


def moved(start: Weights, weights: Weights, factor: float) -> Weights:
    """θ^t + factor·(θ − θ^t), computed in float64.

    A variance that batch normalisation has measured is never less than 0: any server would see
    that, and no network could use it.
    """
    result = {}
    with np.errstate(over="ignore"):
        for name, values in start.items():
            wide = values.astype(np.float64)
            wide += factor * (weights[name] - wide)
            if name.endswith(_VARIANCE):
                wide = np.maximum(wide, 0)
            result[name] = wide.astype(np.float32)
    return result


def update_norm(start: Weights, weights: Weights) -> float:
    """‖θ − θ^t‖₂ over the weights; what batch normalisation measured is none."""
    statistics = statistics_among({name: values.shape for name, values in start.items()})
    return float(
        np.sqrt(
            sum(
                np.square(weights[name].astype(np.float64) - values).sum()
                for name, values in sorted(start.items())
                if name not in statistics
            )
        )
    )
