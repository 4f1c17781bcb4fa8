"""The anomalous objective, (1−ρ)·loss + ρ·l_a.

Bagdasaryan et al. 2020; arXiv 2202.04311, Sec. 5.4.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ariba_cli.attacks.strategies.declaration import Declaration, Stage
from ariba_cli.attacks.strategies.strategy import Situation, Strategy
from ariba_cli.base.registry import registered
from ariba_cli.federated.training import Task

if TYPE_CHECKING:
    import torch

    Tensors = Mapping[str, torch.Tensor]


def l2(parameters: "Tensors", start: "Tensors") -> "torch.Tensor":
    """Return ‖θ − θ^t‖₂."""
    import torch

    differences = [(now - start[name]).flatten() for name, now in parameters.items()]
    norm: torch.Tensor = torch.linalg.vector_norm(torch.cat(differences))
    return norm


def cosine(parameters: "Tensors", start: "Tensors") -> "torch.Tensor":
    """Return 1 − cos(θ, θ^t)."""
    import torch

    now, then = (
        torch.cat([some[name].flatten() for name in parameters]) for some in (parameters, start)
    )
    return 1 - torch.nn.functional.cosine_similarity(now, then, dim=0)


ANOMALIES: dict[str, Callable[["Tensors", "Tensors"], "torch.Tensor"]] = {
    "l2": l2,
    "cosine": cosine,
}


@dataclass(frozen=True)
class Constrained:
    """The objective (1−ρ)·loss + ρ·l_a."""

    anomaly: str
    rho: float

    def __call__(
        self, loss: "torch.Tensor", parameters: "Tensors", start: "Tensors"
    ) -> "torch.Tensor":
        """Return the value to minimise; see `Objective`."""
        return (1 - self.rho) * loss + self.rho * ANOMALIES[self.anomaly](parameters, start)


class Anomalous(Strategy):
    """A strategy that keeps the weights near those that were sent out."""

    declaration = Declaration(
        name="anomalous",
        stage=Stage.TRAINING,
        summary="the loss has a term that keeps the weights near the global model (--rho, "
        "--anomaly); with a strategy that scales, constrain-and-scale",
        equation="min (1−ρ)·loss + ρ·l_a, l_a = ‖θ − θ^t‖ or 1 − cos(θ, θ^t)",
        source="Bagdasaryan et al., How to backdoor federated learning, 2020",
        purpose="a backdoor that does not show in the weights",
    )

    def task(self, situation: Situation, task: Task) -> Task:
        """Return the task with the ρ and the anomaly term of the settings in its objective."""
        del situation
        registered(ANOMALIES, self.settings.anomaly, kind="anomaly term")
        return replace(task, objective=Constrained(self.settings.anomaly, self.settings.rho))
