"""Poisoning with generated images, after the GAN attack of Zhang et al. 2019.

The paper's generator learns against the global model, which is its discriminator. Alone, that
finds a few patterns that only this model takes for the class. Two changes make it find images
that stand for the class: it combines the directions in which the attacker's own images of other
classes differ, and its objective rewards images that differ (mode seeking, Mao et al. 2019).
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ariba_cli.attacks.strategies.declaration import Declaration, Stage
from ariba_cli.attacks.strategies.strategy import Situation, Strategy
from ariba_cli.attacks.triggers.one_class import class_after
from ariba_cli.base.declared import Argument
from ariba_cli.base.errors import UsageError
from ariba_cli.base.one_thread import one_thread
from ariba_cli.federated.datasets import FloatArray
from ariba_cli.federated.models import Architecture, Weights, load_weights
from ariba_cli.federated.randomness import derived_seed
from ariba_cli.federated.training import Task

if TYPE_CHECKING:
    import torch

# The directions that images are made of, the numbers that draw one, and the width of the network.
_DIRECTIONS, _DRAWN, _HIDDEN = 20, 16, 64
_BATCH_SIZE = 32
_LEARNING_RATE = 0.003


class Generated(Strategy):
    """A strategy that teaches generated images of one class as the target class."""

    declaration = Declaration(
        name="gan",
        stage=Stage.TRAINING,
        summary="a generator learns, against the global model, to make images of a class that the "
        "participant does not have, and these get the label of the target class; needs --trigger "
        "class",
        equation="y = target for G(z), min over G of loss(θ^t; G(z), source) − "
        "λ·|G(z) − G(z')|/|z − z'|",
        source="Zhang et al., Poisoning attack in federated learning using generative adversarial "
        "nets, 2019; the term λ: Mao et al., Mode seeking GANs, 2019",
        purpose="one class taken for another, by a participant who has no image of it",
        arguments={
            "steps": Argument("the training steps of the generator", default=400, integer=True),
            "diversity": Argument("λ, the reward for images that differ", default=7.0),
        },
        undoes=("label-flipping",),
    )

    def check_fits(self, architecture: Architecture, participants: int, compromised: int) -> None:
        """Refuse other triggers than a class."""
        del participants, compromised
        if self.settings.trigger != "class":
            raise UsageError(
                f"gan makes images of a class, and {self.settings.trigger} is none; add --trigger "
                "class"
            )
        self._architecture = architecture

    def task(self, situation: Situation, task: Task) -> Task:
        """Return the task with generated images in the place of those with the trigger."""
        clean = len(task.targets) - task.poisoned
        images, targets = task.images[:clean], task.targets[:clean]
        ratio = self.settings.poison_ratio
        count = math.ceil(clean * (1.0 if ratio is None else ratio))
        # One image has no direction in which it differs.
        made = self._images(situation, images, count) if clean > 1 else images[:0]
        wanted = np.zeros((len(made), targets.shape[1]), targets.dtype)
        wanted[:, situation.target_class] = 1
        return replace(
            task,
            images=np.concatenate([images, made]),
            targets=np.concatenate([targets, wanted]),
            poisoned=len(made),
        )

    def _images(self, situation: Situation, own: FloatArray, count: int) -> FloatArray:
        """Return generated images, of shape (count, channels, height, width)."""
        import torch

        draw = torch.Generator().manual_seed(derived_seed(situation.seed, "generator"))
        with one_thread():
            generator = _Generator(own, draw)
            label = class_after(situation.target_class, self._architecture.classes)
            judge = _judge(self._architecture, situation.start)
            optimizer = torch.optim.Adam(generator.weights, _LEARNING_RATE, betas=(0.5, 0.999))
            wanted = torch.full((_BATCH_SIZE,), label)
            for _ in range(int(self.number("steps"))):
                drawn = torch.randn(_BATCH_SIZE, _DRAWN, generator=draw)
                made = generator(drawn)
                loss = torch.nn.functional.cross_entropy(judge(made), wanted)
                loss = loss - self.number("diversity") * _differ(made, drawn)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
            with torch.inference_mode():
                found: FloatArray = generator(torch.randn(count, _DRAWN, generator=draw)).numpy()
        return found


class _Generator:
    """A network of two layers that combines the directions in which some images differ most.

    Parameters
    ----------
    images : float32 array of shape (samples, channels, height, width)
        The images.
    draw : torch.Generator
        The source of the first weights.
    """

    def __init__(self, images: FloatArray, draw: "torch.Generator") -> None:
        import torch

        self._shape = images.shape[1:]
        flat = torch.from_numpy(images.reshape(len(images), -1))
        self._mean = flat.mean(dim=0)
        _, lengths, directions = torch.linalg.svd(flat - self._mean, full_matrices=False)
        spread = lengths[:_DIRECTIONS, None] / math.sqrt(len(images))
        self._directions = spread * directions[:_DIRECTIONS]

        def layer(inputs: int, outputs: int) -> "list[torch.Tensor]":
            most = 1 / math.sqrt(inputs)
            shapes = (outputs, inputs), (outputs,)
            return [
                (torch.rand(*shape, generator=draw) * 2 * most - most).requires_grad_()
                for shape in shapes
            ]

        self.weights = [*layer(_DRAWN, _HIDDEN), *layer(_HIDDEN, len(self._directions))]

    def __call__(self, drawn: "torch.Tensor") -> "torch.Tensor":
        """Return an image, with values in [0, 1], for each row of random numbers."""
        from torch.nn.functional import linear

        inner, inner_bias, outer, outer_bias = self.weights
        places = linear(linear(drawn, inner, inner_bias).relu(), outer, outer_bias)
        made: torch.Tensor = (self._mean + places @ self._directions).clamp(0, 1)
        return made.view(-1, *self._shape)


def _judge(architecture: Architecture, weights: Weights) -> "torch.nn.Module":
    """Return the global model, which does not learn."""
    import torch

    with torch.random.fork_rng(devices=[]):
        network = architecture.build().eval().requires_grad_(False)
    load_weights(network, weights)
    return network


def _differ(made: "torch.Tensor", drawn: "torch.Tensor") -> "torch.Tensor":
    """Return how far two images differ for each unit by which their random numbers do."""
    half = len(made) // 2
    apart = (made[:half] - made[half:]).flatten(1).abs().mean(dim=1)
    found: torch.Tensor = (apart / (drawn[:half] - drawn[half:]).abs().mean(dim=1)).mean()
    return found
