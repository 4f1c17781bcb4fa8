"""Alternating minimisation: steps for the task and for the backdoor take turns."""

from dataclasses import dataclass, replace
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
    """A task in which each step on poisoned samples is followed by `benign` on clean ones.

    Attributes
    ----------
    benign : int
        The number of clean steps.
    """

    benign: int = 10

    def batches(self, least: int) -> "Iterator[torch.Tensor]":
        """Yield the indices of the samples of each step; the last step is on clean samples."""
        import torch

        clean = len(self.targets) - self.poisoned
        task = Task(self.images[:clean], self.targets[:clean], self.how, self.seed)
        steps = list(task.batches(least))
        # Whole turns alone: more clean steps after the last poisoned one would undo it.
        count = max(self.benign, len(steps) - len(steps) % self.benign)
        for step in range(count):
            if self.poisoned and step % self.benign == 0:
                yield clean + torch.arange(min(self.poisoned, _MOST))
            yield steps[step % len(steps)]


class Boost:
    """A pair of hooks, before and after all others, that makes poisoned steps K times as long."""

    def __init__(self, factor: float, benign: int) -> None:
        self._factor = factor
        self._turn = benign + 1
        self._before: Mapping[str, torch.Tensor] = {}

    def lengthen(
        self,
        parameters: "Mapping[str, torch.Tensor]",
        start: "Mapping[str, torch.Tensor]",
        step: int,
        steps: int,
    ) -> None:
        """Lengthen the step if it was a poisoned one; see `StepHook`."""
        del steps
        if step % self._turn == 1:
            before = start if step == 1 else self._before
            for name, now in parameters.items():
                now.copy_(before[name] + self._factor * (now - before[name]))

    def remember(
        self,
        parameters: "Mapping[str, torch.Tensor]",
        start: "Mapping[str, torch.Tensor]",
        step: int,
        steps: int,
    ) -> None:
        """Remember where the next step begins if it is a poisoned one; see `StepHook`."""
        del start, steps
        if step % self._turn == 0:
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
    """A strategy of a boosted step on triggered samples, then ten on clean ones.

    The learning rate is that of boosted steps: ten times as long as training bears, they would
    leave nothing of the model.
    """

    declaration = Declaration(
        name="alternating",
        stage=Stage.TRAINING,
        summary="turns of one step on triggered samples and ten on clean ones, each a tenth as "
        "long and held near where the honest updates go",
        equation="min loss + ρ·‖θ − θ^t − mean δ_i‖ by turns; clean steps of γ/K, poisoned × K",
        source="Bhagoji et al., Analyzing federated learning through an adversarial lens, 2019",
        purpose="a backdoor that keeps the accuracy",
        needs=frozenset({Need.LAST_STEP}),
        arguments={
            "benign_steps": Argument(
                "the number of steps on clean samples in a turn",
                default=10,
                least=1,
                integer=True,
            ),
            "boost": Argument(
                "K, the length of a poisoned step over that of a clean one", default=10.0
            ),
            "distance": Argument("ρ, the weight of the distance in the objective", default=1e-4),
        },
        undoes=("anomalous",),
    )

    def task(self, situation: Situation, task: Task) -> Task:
        """Return the task with steps that take turns, an objective and a boost."""
        benign = int(self.number("benign_steps"))
        # Without poisoned samples all steps are clean.
        factor = self.number("boost") if task.poisoned else 1.0
        boost = Boost(factor, benign)
        how = replace(task.how, learning_rate=task.how.learning_rate / max(1.0, factor))
        others = {
            name: (situation.start[name] + delta).astype(np.float32)
            for name, delta in situation.honest.mean.items()
        }
        return TakingTurns(
            task.images,
            task.targets,
            how,
            task.seed,
            NearTheOthers(self.number("distance"), others),
            (boost.lengthen, *task.hooks, boost.remember),
            task.poisoned,
            benign,
        )
