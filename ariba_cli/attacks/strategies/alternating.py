"""Alternating minimisation: steps for the task and for the backdoor take turns."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ariba_cli.attacks.strategies.declaration import Declaration, Need, Stage
from ariba_cli.attacks.strategies.strategy import Situation, Strategy
from ariba_cli.base.declared import Argument
from ariba_cli.federated.training import Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import torch

# So many of the triggered samples are in a step at most, since their activations fill memory.
_MOST = 256


@dataclass(frozen=True)
class TakingTurns(Task):
    """A task in which `benign` steps on clean samples are followed by one on poisoned ones.

    Attributes
    ----------
    benign : int
        The number of clean steps.
    """

    benign: int = 10

    def batches(self, least: int) -> "Iterator[torch.Tensor]":
        """Yield the indices of the samples of each step; the last step is on poisoned samples."""
        import torch

        clean = len(self.targets) - self.poisoned
        task = Task(self.images[:clean], self.targets[:clean], self.how, self.seed)
        steps = list(task.batches(least))
        # Whole turns alone: what is left over after a poisoned step would undo it.
        count = max(self.benign, len(steps) - len(steps) % self.benign)
        for step in range(1, count + 1):
            yield steps[(step - 1) % len(steps)]
            if self.poisoned and step % self.benign == 0:
                yield clean + torch.arange(min(self.poisoned, _MOST))


class Boost:
    """A pair of hooks, before and after all others, that makes poisoned steps K times as long."""

    def __init__(self, factor: float, benign: int) -> None:
        self._factor = factor
        self._turn = benign + 1
        self._before: dict[str, torch.Tensor] = {}

    def lengthen(
        self,
        parameters: "Mapping[str, torch.Tensor]",
        start: "Mapping[str, torch.Tensor]",
        step: int,
        steps: int,
    ) -> None:
        """Lengthen the step if it was a poisoned one; see `StepHook`."""
        del start, steps
        if step % self._turn == 0:
            for name, now in parameters.items():
                before = self._before[name]
                now.copy_(before + self._factor * (now - before))

    def remember(
        self,
        parameters: "Mapping[str, torch.Tensor]",
        start: "Mapping[str, torch.Tensor]",
        step: int,
        steps: int,
    ) -> None:
        """Remember where the next step begins if it is a poisoned one; see `StepHook`."""
        del start, steps
        if (step + 1) % self._turn == 0:
            self._before = {name: now.detach().clone() for name, now in parameters.items()}


@dataclass(frozen=True)
class NearTheOthers:
    """The objective loss + ρ·‖θ − θ̄‖, where θ̄ is the mean of the honest models."""

    rho: float
    others: dict[str, npt.NDArray[np.float32]]

    def __call__(
        self,
        loss: "torch.Tensor",
        parameters: "Mapping[str, torch.Tensor]",
        start: "Mapping[str, torch.Tensor]",
    ) -> "torch.Tensor":
        """Return the value to minimise; see `Objective`."""
        import torch

        del start
        differences = [
            (now - torch.from_numpy(self.others[name]).to(now.device)).flatten()
            for name, now in parameters.items()
        ]
        distance: torch.Tensor = torch.linalg.vector_norm(torch.cat(differences))
        return loss + self.rho * distance


class Alternating(Strategy):
    """A strategy of ten steps on clean samples, then one on triggered ones that is boosted."""

    declaration = Declaration(
        name="alternating",
        stage=Stage.TRAINING,
        summary="ten steps on clean samples, held near where the honest go, then one on triggered "
        "ones, boosted; over and over",
        equation="min loss + ρ·‖θ − θ^t − mean δ_i‖ by turns; poisoned steps × K",
        source="Bhagoji et al., Analyzing federated learning through an adversarial lens, 2019",
        purpose="a backdoor that keeps the accuracy",
        needs=frozenset({Need.LAST_STEP}),
        arguments={
            "benign_steps": Argument(
                "how many steps on clean samples a turn has", default=10, least=1, integer=True
            ),
            "boost": Argument("K, how many times as long a poisoned step is", default=10.0),
            "distance": Argument("ρ, the weight of the distance in the objective", default=1e-4),
        },
        undoes=("anomalous",),
    )

    def task(self, situation: Situation, task: Task) -> Task:
        """Return the task with steps that take turns, an objective and a boost."""
        benign = int(self.number("benign_steps"))
        boost = Boost(self.number("boost"), benign)
        others = {
            name: (situation.start[name] + delta).astype(np.float32)
            for name, delta in situation.honest.mean.items()
        }
        return TakingTurns(
            task.images,
            task.targets,
            task.how,
            task.seed,
            NearTheOthers(self.number("distance"), others),
            (boost.lengthen, *task.hooks, boost.remember),
            task.poisoned,
            benign,
        )
