"""The task of one participant in a round: to train given weights on its own samples."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ariba_cli.federated.datasets import FloatArray, LabelArray

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class LocalTraining:
    """The settings by which a participant minimises the cross-entropy of its own samples.

    Attributes
    ----------
    optimizer : str
        `adam` or `sgd`.
    epochs : int
        The number of passes over the samples.
    batch_size : int
        The number of samples in a step.
    learning_rate : float
        The learning rate.
    momentum : float
        μ of `sgd`, in [0, 1): the part of a step that is repeated in the next.
    weight_decay : float
        λ, at least 0: the gradient is that of the loss and λ/2·‖θ‖².
    """

    optimizer: str
    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float = 0.0
    weight_decay: float = 0.0


class Objective(Protocol):
    """An objective in the place of the cross-entropy. It can be sent to another process."""

    def __call__(
        self,
        loss: "torch.Tensor",
        parameters: Mapping[str, "torch.Tensor"],
        start: Mapping[str, "torch.Tensor"],
    ) -> "torch.Tensor":
        """Return the objective, from the cross-entropy, the parameters, and those at the start."""
        ...


class StepHook(Protocol):
    """A hook that changes parameters after a training step. It can be sent to another process."""

    def __call__(
        self,
        parameters: Mapping[str, "torch.Tensor"],
        start: Mapping[str, "torch.Tensor"],
        step: int,
        steps: int,
    ) -> None:
        """Change parameters in place.

        Parameters
        ----------
        parameters : mapping of str to torch.Tensor
            The parameters after the step, by name.
        start : mapping of str to torch.Tensor
            The parameters at the start of training.
        step, steps : int
            The number of the step, from 1, and of all steps.
        """
        ...


@dataclass(frozen=True)
class Task:
    """The training of one participant in one round.

    Attributes
    ----------
    images : float32 array of shape (samples, channels, height, width)
        The images.
    targets : array of shape (samples,) or (samples, classes)
        The labels, or the probabilities of the classes.
    how : LocalTraining
        The settings of the training.
    seed : int
        The seed of the order of the samples.
    objective : Objective, optional
        The objective; None for the cross-entropy alone.
    hooks : tuple of StepHook
        The hooks after each step, in the order in which they are called.
    poisoned : int
        The number of samples, the last ones, that are an attacker's.
    """

    images: FloatArray
    targets: LabelArray | FloatArray
    how: LocalTraining
    seed: int
    objective: Objective | None = None
    hooks: tuple[StepHook, ...] = ()
    poisoned: int = 0

    def batches(self, least: int) -> Iterator["torch.Tensor"]:
        """Yield the indices of the samples of each step, in the order of training.

        Fewer than `least` that are left over go with the step before.
        """
        import torch

        order = torch.Generator().manual_seed(self.seed)
        for _ in range(self.how.epochs):
            shuffled = torch.randperm(len(self.targets), generator=order)
            size = min(self.how.batch_size, max(1, len(shuffled)))
            pieces = list(torch.split(shuffled, size))
            while len(pieces) > 1 and len(pieces[-1]) < least:
                left_over = pieces.pop()
                pieces[-1] = torch.cat([pieces[-1], left_over])
            yield from pieces
