"""Neurotoxin: a backdoor where the others do not write, and so do not overwrite it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ariba_cli.attacks.strategies.declaration import Declaration, Need, Stage
from ariba_cli.attacks.strategies.honest import Deltas
from ariba_cli.attacks.strategies.strategy import Situation, Strategy
from ariba_cli.base.declared import Argument
from ariba_cli.federated.training import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

Masks = dict[str, npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Masked:
    """A hook that puts back all that a step has moved off the mask."""

    masks: Masks

    def __call__(
        self,
        parameters: "Mapping[str, torch.Tensor]",
        start: "Mapping[str, torch.Tensor]",
        step: int,
        steps: int,
    ) -> None:
        """Put it back after every step; see `StepHook`."""
        import torch

        del step, steps
        for name, now in parameters.items():
            mask = torch.from_numpy(self.masks[name]).to(now.device)
            now.copy_(torch.where(mask, now, start[name]))


class Neurotoxin(Strategy):
    """A strategy that trains only the coordinates that the last global step moved least."""

    declaration = Declaration(
        name="neurotoxin",
        stage=Stage.TRAINING,
        summary="only the coordinates are trained that the last global step moved least",
        equation="δ_j = 0 for the 1−share of coordinates j with the largest |mean δ_i|_j",
        source="Zhang et al., Neurotoxin: durable backdoors in federated learning, 2022",
        purpose="a backdoor that lasts when the attack has ended",
        needs=frozenset({Need.LAST_STEP}),
        arguments={
            "share": Argument("the share of coordinates that are trained", default=0.95, most=1.0)
        },
    )

    def task(self, situation: Situation, task: Task) -> Task:
        """Return the task with a mask after every step."""
        mask = Masked(least_moved(situation.honest.mean, self.number("share")))
        return replace(task, hooks=(*task.hooks, mask))


def least_moved(step: Deltas, share: float) -> Masks:
    """Return a mask of the share of all coordinates that a step moved least.

    Of two that it moved alike, the first in order of names and places is less.
    """
    sizes = np.concatenate([np.abs(step[name]).ravel() for name in sorted(step)])
    chosen = np.zeros(len(sizes), bool)
    chosen[np.argsort(sizes, kind="stable")[: round(share * len(sizes))]] = True
    masks, at = {}, 0
    for name in sorted(step):
        masks[name] = chosen[at : at + step[name].size].reshape(step[name].shape)
        at += step[name].size
    return masks
