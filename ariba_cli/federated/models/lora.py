"""LoRA (Hu et al. 2021, arXiv 2106.09685): a network of which only thin factors are trained.

Each linear layer but the head computes W·x + B·(A·x) with W as it was pre-trained. A is drawn
at random and B begins at zero, so that training starts from the pre-trained network. The head
is trained as a whole; all else, biases and embeddings too, stays as it was.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.federated.models.architecture import Architecture, Build, ImageShape, Weights

if TYPE_CHECKING:
    import torch

# Networks that can be adapted, and what their heads are called.
_HEADS = {"transformer": "head"}


def adapted(architecture: Architecture, base: Weights, rank: int) -> Architecture:
    """Return a network with factors of a rank, in which only the trained tensors have names.

    Parameters
    ----------
    architecture : Architecture
        The network that was pre-trained.
    base : Weights
        Its weights after that.
    rank : int
        r, the number of rows of A and of columns of B.

    Raises
    ------
    InputError
        When the weights are those of another network.
    """
    if {name: values.shape for name, values in base.items()} != architecture.shapes():
        raise InputError(f"the base model is not the {architecture.name} of the run")
    build = _Adapted(architecture.build_network, _HEADS[architecture.name], base, rank)
    return Architecture(architecture.name, build, architecture.images, architecture.classes)


def check_adaptable(model: str) -> None:
    """Refuse a network that has no linear layers to be adapted, or none that are known.

    Raises
    ------
    UsageError
        Names those that can be adapted.
    """
    if model not in _HEADS:
        raise UsageError(f"--lora does not adapt a {model}; use --model {' or '.join(_HEADS)}")


@dataclass(frozen=True)
class _Adapted(Build):
    """A function that builds the network. It can be sent to another process."""

    build_base: Build
    head: str
    base: Weights
    rank: int

    def __call__(self, images: ImageShape, classes: int) -> "torch.nn.Module":
        """Return the network, frozen but for its head, with factors beside its linear layers."""
        import torch
        from torch import nn

        network = self.build_base(images, classes)
        modules = [(name, module) for name, module in network.named_modules() if name != self.head]
        for name, module in modules:
            for own in list(module._parameters):
                where = module.get_parameter(own).device
                delattr(module, own)
                stored = self.base[f"{name}.{own}".lstrip(".")]
                # Buffers that are not persistent are no part of what a participant sends.
                module.register_buffer(
                    own, torch.from_numpy(stored.copy()).to(where), persistent=False
                )
        for name, module in modules:
            if isinstance(module, nn.Linear):
                network.set_submodule(name, _with_factors(module, self.rank))
        head = network.get_submodule(self.head)
        for own, parameter in head.named_parameters():
            parameter.data.copy_(torch.from_numpy(self.base[f"{self.head}.{own}"]))
        return network


def _with_factors(linear: "torch.nn.Linear", rank: int) -> "torch.nn.Module":
    """Return a frozen linear layer beside factors that are trained."""
    import torch
    from torch import nn

    class Adapted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.frozen = linear
            self.lora_A = nn.Linear(linear.in_features, rank, bias=False)
            self.lora_B = nn.Linear(rank, linear.out_features, bias=False)
            nn.init.zeros_(self.lora_B.weight)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            changed: torch.Tensor = self.frozen(x) + self.lora_B(self.lora_A(x))
            return changed

    return Adapted()
