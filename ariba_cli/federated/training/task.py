"""What one participant does in a round: train given weights on its own samples."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ariba_cli.federated.datasets import FloatArray, LabelArray

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class LocalTraining:
    """How a participant minimises the cross-entropy of its own samples.

    Attributes
    ----------
    optimizer : `adam` or `sgd`.
    epochs : passes over the samples.
    momentum : μ of `sgd`, in [0, 1): how much of a step is repeated in the next.
    weight_decay : λ, at least 0: the gradient is that of the loss and λ/2·‖θ‖².
    """

    optimizer: str
    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float = 0.0
    weight_decay: float = 0.0


class Objective(Protocol):
    """What is minimised in the place of the cross-entropy. It can be sent to another process."""

    def __call__(
        self,
        loss: "torch.Tensor",
        parameters: Mapping[str, "torch.Tensor"],
        start: Mapping[str, "torch.Tensor"],
    ) -> "torch.Tensor":
        """From the cross-entropy, the parameters now and those that training started from."""
        ...


class StepHook(Protocol):
    """Changes parameters after a step of training. It can be sent to another process."""

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
            After the step, by name.
        start : mapping of str to torch.Tensor
            What training started from.
        step, steps : int
            Which step it was, from 1, of how many.
        """
        ...


@dataclass(frozen=True)
class Task:
    """The training of one participant in one round.

    Attributes
    ----------
    images : of shape (samples, channels, height, width).
    targets : labels of shape (samples,) or probabilities of shape (samples, classes).
    seed : decides the order of the samples.
    objective : None for the cross-entropy alone.
    hooks : what is called after each step, in this order.
    poisoned : how many of the samples, the last ones, are an attacker's.
    """

    images: FloatArray
    targets: LabelArray | FloatArray
    how: LocalTraining
    seed: int
    objective: Objective | None = None
    hooks: tuple[StepHook, ...] = ()
    poisoned: int = 0

    def batches(self, least: int) -> Iterator["torch.Tensor"]:
        """The indices of the samples of each step, in the order of training.

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


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, which gives the same bytes however many cores there are."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
