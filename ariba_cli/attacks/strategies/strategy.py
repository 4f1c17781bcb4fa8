"""What a strategy can change: what is trained on, how it is trained, and what is sent."""

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
    """What a compromised participant has.

    Attributes
    ----------
    images : float32 array of shape (samples, channels, height, width)
        Those of which the model shall say what it said before: its own, and what the trigger
        adds.
    labels : int64 array of shape (samples,)
        Of these.
    triggered : float32 array of shape (samples, channels, height, width)
        Those with the trigger, each once.
    """

    images: FloatArray
    labels: LabelArray
    triggered: FloatArray


@dataclass(frozen=True)
class Situation:
    """What a compromised participant knows in a round.

    Attributes
    ----------
    honest : HonestUpdates
        What the honest send, and θ^t.
    compromised : int
        How many are, of all.
    sigma_i : float
        σ_i, its own part of σ.
    seed : int
        For what it draws at random.
    held : Held
        Its images.
    target_class : int
        What those are to be taken for.
    logits : callable
        Returns what the model with some weights says of images, of shape (samples, classes).
    twin : Weights, optional
        What it would send if it were honest, for whoever needs that.
    """

    honest: HonestUpdates
    compromised: int
    sigma_i: float
    seed: int
    held: Held
    target_class: int
    logits: Callable[[Weights, FloatArray], FloatArray]
    twin: Weights | None = None

    @property
    def start(self) -> Weights:
        """θ^t."""
        return self.honest.start


class Strategy:
    """Changes nothing. What a strategy does not override, it leaves to the others.

    Attributes
    ----------
    declaration : Declaration
        What lists and records say of it.
    """

    declaration: ClassVar[Declaration]

    def __init__(self, settings: AttackSettings) -> None:
        self.settings = settings

    def argument(self, key: str) -> Parameter:
        """Return an argument as it was given, else its default."""
        return self.settings.arguments.get(key, self.declaration.options[key].default)

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
        """What the participant's own samples are taught as, of shape (samples, classes)."""
        del labels
        return targets

    def task(self, situation: Situation, task: Task) -> Task:
        """What is trained, from what the strategy before would have trained.

        It can have another objective, other batches, and hooks after each step.
        """
        del situation
        return task

    def sent(self, situation: Situation, weights: Weights) -> Weights:
        """The weights to send, from those that training, or the strategy before, has made."""
        del situation
        return weights
