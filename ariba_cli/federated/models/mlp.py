"""A multilayer perceptron with two hidden layers, the 2NN of McMahan et al. (arXiv 1602.05629)."""

from typing import TYPE_CHECKING

from ariba_cli.federated.models.architecture import ImageShape

if TYPE_CHECKING:
    import torch

_HIDDEN = 200


def build_mlp(images: ImageShape, classes: int) -> "torch.nn.Module":
    """Return the layers `fc1`, `fc2`, `fc3`, with 200 units and ReLU after the first two."""
    from collections import OrderedDict

    from torch import nn

    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            fc1=nn.Linear(images.channels * images.height * images.width, _HIDDEN),
            relu1=nn.ReLU(),
            fc2=nn.Linear(_HIDDEN, _HIDDEN),
            relu2=nn.ReLU(),
            fc3=nn.Linear(_HIDDEN, classes),
        )
    )
