"""The 4-layer CNN, for images of any size, and the same with more channels."""

from typing import TYPE_CHECKING

from ariba_cli.federated.models.architecture import ImageShape

if TYPE_CHECKING:
    import torch

# The width of the first linear layer, for images whose shorter side has fewer pixels than
# `_SMALL_SIDE`, and for others.
_SMALL_SIDE = 16
_HIDDEN_SMALL, _HIDDEN = 32, 128

# The channels of both convolutions.
_CHANNELS = 16, 32
_WIDE_CHANNELS = 64, 128


def build_cnn(images: ImageShape, classes: int) -> "torch.nn.Module":
    """Return the network of `conv1`, `conv2` (3×3, 16 and 32 channels), `fc1` and `fc2`.

    Each convolution is followed by a 2×2 max-pool and ReLU, so that images must be at least
    4×4 pixels. ReLU before the pool would give the same, and have four times as much to do.
    """
    return _four_layers(images, classes, _CHANNELS)


def build_wide_cnn(images: ImageShape, classes: int) -> "torch.nn.Module":
    """Return the same layers as `build_cnn`, with four times as many channels."""
    return _four_layers(images, classes, _WIDE_CHANNELS)


def _four_layers(images: ImageShape, classes: int, widths: tuple[int, int]) -> "torch.nn.Module":
    from collections import OrderedDict

    from torch import nn

    channels, height, width = images
    first, second = widths
    hidden = _HIDDEN_SMALL if min(height, width) < _SMALL_SIDE else _HIDDEN
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, first, 3, padding=1),
            pool1=nn.MaxPool2d(2),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(first, second, 3, padding=1),
            pool2=nn.MaxPool2d(2),
            relu2=nn.ReLU(),
            flatten=nn.Flatten(),
            fc1=nn.Linear(second * (height // 4) * (width // 4), hidden),
            relu3=nn.ReLU(),
            fc2=nn.Linear(hidden, classes),
        )
    )
