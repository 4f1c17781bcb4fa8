"""A model as the rest of the house sees it: named weights, and a function that builds it."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ariba_cli.federated.randomness import derived_seed

if TYPE_CHECKING:
    import torch

Weights = dict[str, npt.NDArray[np.float32]]


class ImageShape(NamedTuple):
    """The shape of one image."""

    channels: int
    height: int
    width: int


class Build(Protocol):
    """A function that makes a network with random weights, drawn from PyTorch's generator."""

    def __call__(self, images: ImageShape, classes: int) -> "torch.nn.Module":
        """Return a network that gives logits of shape (samples, classes)."""
        ...


@dataclass(frozen=True)
class Architecture:
    """A network for images of one shape. It can be sent to another process.

    Attributes
    ----------
    name : str
        The name under which the network is registered.
    build_network : Build
        The function that builds it.
    images : ImageShape
        The shape of one image.
    classes : int
        The number of classes.
    """

    name: str
    build_network: Build
    images: ImageShape
    classes: int

    def build(self) -> "torch.nn.Module":
        """Return the network, with random weights.

        Batch normalisation does not count its batches: no update has such a tensor, and with
        a fixed momentum the count is of no use.
        """
        from torch import nn

        network = self.build_network(self.images, self.classes)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.num_batches_tracked = None
        return network

    @cached_property
    def least_batch(self) -> int:
        """Return the least samples in a training step: 2 with batch normalisation, else 1."""
        import torch
        from torch import nn

        with torch.device("meta"):
            modules = list(self.build().modules())
        return 2 if any(isinstance(module, nn.BatchNorm2d) for module in modules) else 1

    @cached_property
    def last_convolution(self) -> str | None:
        """Return the last convolution; None if there is none, or batch normalisation follows."""
        import torch
        from torch import nn

        with torch.device("meta"):
            modules = dict(self.build().named_modules())
        if any(isinstance(module, nn.BatchNorm2d | nn.GroupNorm) for module in modules.values()):
            return None
        found = [name for name, module in modules.items() if isinstance(module, nn.Conv2d)]
        return found[-1] if found else None

    def initial_weights(self, seed: int) -> Weights:
        """Return the weights from which a federation starts, drawn from the run's seed alone."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(seed, "initial weights"))
            return weights_of(self.build())

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the network's tensors, in model order."""
        import torch

        with torch.device("meta"):
            state = self.build().state_dict()
        return {name: tuple(value.shape) for name, value in state.items()}


def weights_of(network: "torch.nn.Module") -> Weights:
    """Return a copy of a network's weights and statistics, by tensor name, in model order."""
    return {
        name: tensor.detach().cpu().numpy().copy() for name, tensor in network.state_dict().items()
    }


def load_weights(network: "torch.nn.Module", weights: Weights) -> None:
    """Put weights into a network, which shares its memory with its `state_dict`."""
    import torch

    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            tensor.copy_(torch.from_numpy(weights[name]))
