"""The base of strategies, which can change the samples, the training, and the update."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.attacks.strategies.declaration import Declaration
from ariba_cli.attacks.strategies.honest import HonestUpdates
from ariba_cli.base.parameters import Parameter
from ariba_cli.federated.datasets import FloatArray, LabelArray
from ariba_cli.federated.models import Architecture, Weights
from ariba_cli.federated.training import Task


@dataclass(frozen=True)
class Held:
    """The images that a compromised participant has.

    Attributes
    ----------
    images : float32 array of shape (samples, channels, height, width)
        Those whose outputs should stay as they were: its own, and those that the trigger adds.
    labels : int64 array of shape (samples,)
        The labels of `images`.
    triggered : float32 array of shape (samples, channels, height, width)
        Those with the trigger, each once.
    """

    images: FloatArray
    labels: LabelArray
    triggered: FloatArray


@dataclass(frozen=True)
class Situation:
    """The knowledge of a compromised participant in a round.

    Attributes
    ----------
    honest : HonestUpdates
        The honest updates, and θ^t.
    compromised : int
        The number of compromised participants.
    sigma_i : float
        σ_i, its own part of σ.
    seed : int
        The seed of its random draws.
    held : Held
        Its images.
    target_class : int
        The class that triggered images are to be taken for.
    logits : callable
        Returns the logits of a model with some weights for images, of shape (samples, classes).
    gradient : callable
        Returns the gradient of the mean cross-entropy at θ^t, for images and their labels or
        probabilities of classes.
    twin : Weights, optional
        The weights that it would send if it were honest, for strategies that need them.
    """

    honest: HonestUpdates
    compromised: int
    sigma_i: float
    seed: int
    held: Held
    target_class: int
    logits: Callable[[Weights, FloatArray], FloatArray]
    gradient: Callable[[FloatArray, LabelArray | FloatArray], Weights]
    twin: Weights | None = None

    @property
    def start(self) -> Weights:
        """Return θ^t."""
        return self.honest.start


class Strategy:
    """A strategy that changes nothing; subclasses override the stages that they change.

    Attributes
    ----------
    declaration : Declaration
        The description for lists and records.
    """

    declaration: ClassVar[Declaration]

    def __init__(self, settings: AttackSettings) -> None:
        self.settings = settings

    def argument(self, key: str) -> Parameter:
        """Return an argument as it was given, else its default."""
        return self.settings.arguments.get(key, self.declaration.arguments[key].default)

    def number(self, key: str) -> float:
        """Return an argument that is a number and has a default."""
        value = self.argument(key)
        assert isinstance(value, int | float)
        return value

    def check_fits(self, architecture: Architecture, participants: int, compromised: int) -> None:
        """Refuse a model, or numbers of participants, that the strategy cannot work with.

        Raises
        ------
        UsageError
            Says why.
        """

    def relabelled(self, targets: FloatArray, labels: LabelArray) -> FloatArray:
        """Return the targets of the participant's own samples, of shape (samples, classes)."""
        del labels
        return targets

    def task(self, situation: Situation, task: Task) -> Task:
        """Return the training task, made from that of the strategy before.

        It can have another objective, other batches, and hooks after each step.
        """
        del situation
        return task

    def sent(self, situation: Situation, weights: Weights) -> Weights:
        """Return the weights to send, made from those of training or of the strategy before."""
        del situation
        return weights
