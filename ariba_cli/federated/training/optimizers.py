"""The optimizers of local training: the arithmetic of PyTorch's own, by its functions.

To make a `torch.optim.Adam` or `SGD` imports PyTorch's compiler, which takes as long as
PyTorch itself and is not used here.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, Self

from ariba_cli.base.registry import registered
from ariba_cli.federated.training.task import LocalTraining

if TYPE_CHECKING:
    import torch

    Tensors = Sequence[torch.Tensor]


class Optimizer(Protocol):
    """An optimizer that changes parameters, in place, step by step."""

    def step(self, gradients: "Tensors") -> None:
        """Take one step, with a gradient for each parameter."""
        ...

    def narrowed(self, parameters: "Tensors", count: int) -> Self:
        """Return an optimizer that goes on with the first `count` rows of every parameter."""
        ...


class Sgd:
    """The optimizer of stochastic gradient descent, with heavy-ball momentum where μ > 0."""

    def __init__(self, parameters: "Tensors", how: LocalTraining) -> None:
        self._parameters = list(parameters)
        self._how = how
        # PyTorch puts the first gradients here.
        self._velocities: list[torch.Tensor | None] = [None for _ in self._parameters]

    def step(self, gradients: "Tensors") -> None:
        """Step: v ← μ·v + g + λ·θ, from v = 0, and θ ← θ − γ·v."""
        import torch
        from torch.optim.sgd import sgd

        with torch.no_grad():
            sgd(
                self._parameters,
                list(gradients),
                self._velocities,
                fused=True,
                lr=self._how.learning_rate,
                momentum=self._how.momentum,
                dampening=0.0,
                weight_decay=self._how.weight_decay,
                nesterov=False,
                maximize=False,
            )

    def narrowed(self, parameters: "Tensors", count: int) -> Self:
        """Return an optimizer with the velocities of those rows."""
        narrow = type(self)(parameters, self._how)
        narrow._velocities = [None if v is None else v[:count].clone() for v in self._velocities]
        return narrow


class Adam:
    """The optimizer Adam (Kingma and Ba 2014, arXiv 1412.6980); β = (0.9, 0.999), ε = 1e-8."""

    def __init__(self, parameters: "Tensors", how: LocalTraining) -> None:
        import torch

        self._parameters = list(parameters)
        self._how = how
        self._means = [torch.zeros_like(one) for one in parameters]
        self._squares = [torch.zeros_like(one) for one in parameters]
        self._steps = [torch.zeros((), device=one.device) for one in parameters]

    def step(self, gradients: "Tensors") -> None:
        """Take a step of Algorithm 1 of the paper, with the gradient g + λ·θ."""
        import torch
        from torch.optim.adam import adam

        with torch.no_grad():
            adam(
                self._parameters,
                list(gradients),
                self._means,
                self._squares,
                [],
                self._steps,
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=self._how.learning_rate,
                weight_decay=self._how.weight_decay,
                eps=1e-8,
                maximize=False,
            )

    def narrowed(self, parameters: "Tensors", count: int) -> Self:
        """Return an optimizer with the moments of those rows."""
        narrow = type(self)(parameters, self._how)
        narrow._means = [mean[:count].clone() for mean in self._means]
        narrow._squares = [square[:count].clone() for square in self._squares]
        narrow._steps = [step.clone() for step in self._steps]
        return narrow


OPTIMIZERS: dict[str, Callable[["Tensors", LocalTraining], Optimizer]] = {
    "adam": Adam,
    "sgd": Sgd,
}


def make_optimizer(how: LocalTraining, parameters: "Tensors") -> Optimizer:
    """Return a fresh optimizer.

    Raises
    ------
    UsageError
        When there is none of that name.
    """
    return registered(OPTIMIZERS, how.optimizer, kind="optimizer")(parameters, how)
