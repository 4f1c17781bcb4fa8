"""Model reuse: a backdoor in the few coordinates that matter to it and to little else."""

from dataclasses import replace

import numpy as np

from ariba_cli.attacks.strategies.declaration import Declaration, Stage
from ariba_cli.attacks.strategies.masked import Masked, smallest
from ariba_cli.attacks.strategies.strategy import Situation, Strategy
from ariba_cli.base.declared import Argument
from ariba_cli.base.errors import UsageError
from ariba_cli.federated.datasets import FloatArray, LabelArray
from ariba_cli.federated.training import Task


class ModelReuse(Strategy):
    """A strategy that trains only what has much influence on the trigger and little elsewhere."""

    declaration = Declaration(
        name="model-reuse",
        stage=Stage.TRAINING,
        summary="only the coordinates are trained that have much influence on the output for "
        "images with the trigger, and little for its own",
        equation="δ_j = 0 unless |∂ loss(triggered)/∂θ_j| is above its quantile q and "
        "|∂ loss(own)/∂θ_j| below its quantile r",
        source="Ji et al., Model-reuse attacks on deep learning systems, 2018",
        purpose="a backdoor that changes no other answer of the network",
        arguments={
            "above": Argument(
                "q, the quantile of the influence on triggered images", default=0.5, most=1.0
            ),
            "below": Argument(
                "r, the quantile of the influence on its own images", default=0.5, most=1.0
            ),
        },
    )

    def task(self, situation: Situation, task: Task) -> Task:
        """Return the task with a mask after every step.

        Raises
        ------
        UsageError
            When no coordinate is left to train.
        """
        held = situation.held
        if task.poisoned == 0 or len(held.labels) == 0:
            return task
        triggered = task.images[-task.poisoned :], task.targets[-task.poisoned :]
        weak = smallest(_influence(situation, *triggered), self.number("above"))
        apart = smallest(_influence(situation, held.images, held.labels), self.number("below"))
        masks = {name: apart[name] & ~weak[name] for name in weak}
        if not any(mask.any() for mask in masks.values()):
            raise UsageError(
                "model-reuse leaves no coordinate to train; use a smaller above, or a larger below"
            )
        return replace(task, hooks=(*task.hooks, Masked(masks)))


def _influence(
    situation: Situation, images: FloatArray, targets: FloatArray | LabelArray
) -> dict[str, FloatArray]:
    """Return |∂ loss/∂θ_j| of each coordinate that is trained."""
    gradient = situation.gradient(images, targets)
    return {name: np.abs(gradient[name]) for name in situation.honest.trained}
