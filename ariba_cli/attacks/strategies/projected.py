"""Projected gradient descent: training that never ends far from the global model."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ariba_cli.attacks.strategies.declaration import Declaration, Need, Stage
from ariba_cli.attacks.strategies.strategy import Situation, Strategy
from ariba_cli.base.declared import Argument
from ariba_cli.federated.training import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch


@dataclass(frozen=True)
class Projection:
    """A hook that projects parameters into the ball of radius ε around where they started."""

    epsilon: float
    every: int

    def __call__(
        self,
        parameters: "Mapping[str, torch.Tensor]",
        start: "Mapping[str, torch.Tensor]",
        step: int,
        steps: int,
    ) -> None:
        """Project after every so many steps, and after the last; see `StepHook`."""
        import torch

        if step % self.every and step < steps:
            return
        differences = {name: now.double() - start[name] for name, now in parameters.items()}
        norm = torch.linalg.vector_norm(
            torch.stack([torch.linalg.vector_norm(one) for one in differences.values()])
        )
        if norm > self.epsilon:
            for name, now in parameters.items():
                now.copy_(start[name] + differences[name] * (self.epsilon / norm))


class Projected(Strategy):
    """A strategy with ‖θ − θ^t‖ ≤ ε, by a projection every few steps and at the end."""

    declaration = Declaration(
        name="pgd",
        stage=Stage.TRAINING,
        summary="every few steps and at the end, the weights are moved back into a ball around "
        "the global model",
        equation="‖θ − θ^t‖ ≤ ε",
        source="Sun et al., Can you really backdoor federated learning?, 2019; Wang et al., Attack "
        "of the tails, 2020",
        purpose="a backdoor within a bound on norms",
        needs=frozenset({Need.HONEST_UPDATES}),
        arguments={
            "epsilon": Argument(
                "ε, the radius of the ball", otherwise="the median norm of the honest"
            ),
            "every": Argument(
                "the number of steps between two projections", default=10, least=1, integer=True
            ),
        },
    )

    def task(self, situation: Situation, task: Task) -> Task:
        """Return the task with a projection after the steps."""
        given = self.argument("epsilon") is not None
        epsilon = self.number("epsilon") if given else situation.honest.median_norm
        projection = Projection(epsilon, int(self.number("every")))
        return replace(task, hooks=(*task.hooks, projection))
