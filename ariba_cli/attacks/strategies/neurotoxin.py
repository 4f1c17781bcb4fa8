"""Neurotoxin: a backdoor where the others do not write, and so do not overwrite it."""

from dataclasses import replace

import numpy as np

from ariba_cli.attacks.strategies.declaration import Declaration, Need, Stage
from ariba_cli.attacks.strategies.masked import Masked, smallest
from ariba_cli.attacks.strategies.strategy import Situation, Strategy
from ariba_cli.base.declared import Argument
from ariba_cli.federated.training import Task


class Neurotoxin(Strategy):
    """A strategy that trains only the coordinates that the last global step moved least."""

    declaration = Declaration(
        name="neurotoxin",
        stage=Stage.TRAINING,
        summary="trains only the coordinates that the last global step moved least",
        equation="δ_j = 0 for the 1−share of coordinates j with the largest |mean δ_i|_j",
        source="Zhang et al., Neurotoxin: durable backdoors in federated learning, 2022",
        purpose="a backdoor that lasts after the attack has ended",
        needs=frozenset({Need.LAST_STEP}),
        arguments={"share": Argument("the share of coordinates to train", default=0.95, most=1.0)},
    )

    def task(self, situation: Situation, task: Task) -> Task:
        """Return the task with a mask after every step."""
        moved = {name: np.abs(step) for name, step in situation.honest.mean.items()}
        mask = Masked(smallest(moved, self.number("share")))
        return replace(task, hooks=(*task.hooks, mask))
