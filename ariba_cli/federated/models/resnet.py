"""ResNets (He et al. 2015, arXiv 1512.03385), with the parameter names of torchvision.

ResNet18 has the stem for large images, a 7×7 convolution of stride 2 and a max-pool: the accuracy
that arXiv 2202.04311 gives for CIFAR-10 fits it, and it takes a sixteenth of the arithmetic.
ResNet8 has that for small ones, a 3×3 convolution, and a block for each of three stages.

Each comes with batch normalisation and, for batches and participants that are unlike, with
group normalisation (Wu and He 2018, arXiv 1803.08494) under the same names: `bn1` and so on.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ariba_cli.federated.models.architecture import ImageShape
from ariba_cli.federated.models.convolution import convolution_3x3

if TYPE_CHECKING:
    import torch

    Normalisation = Callable[[int], torch.nn.Module]

_WIDTHS_18, _BLOCKS_18 = (64, 128, 256, 512), 2
_WIDTHS_8, _BLOCKS_8 = (16, 32, 64), 1

# Each group has four channels at least, for maps of a single pixel.
_GROUPS = 4


def build_resnet18(images: ImageShape, classes: int) -> "torch.nn.Module":
    """Return the layers `conv1`, `bn1`, `layer1` to `layer4` of two basic blocks each, and `fc`."""
    return _resnet18(images, classes, _batch)


def build_resnet18_gn(images: ImageShape, classes: int) -> "torch.nn.Module":
    """Return the same layers as `build_resnet18`, with group normalisation."""
    return _resnet18(images, classes, _group)


def build_resnet8(images: ImageShape, classes: int) -> "torch.nn.Module":
    """Return the layers `conv1`, `bn1`, `layer1` to `layer3` of a basic block each, and `fc`."""
    return _resnet8(images, classes, _batch)


def build_resnet8_gn(images: ImageShape, classes: int) -> "torch.nn.Module":
    """Return the same layers as `build_resnet8`, with group normalisation."""
    return _resnet8(images, classes, _group)


def _resnet18(images: ImageShape, classes: int, normalised: "Normalisation") -> "torch.nn.Module":
    from torch import nn

    stem = {
        "conv1": nn.Conv2d(images.channels, _WIDTHS_18[0], 7, stride=2, padding=3, bias=False),
        "bn1": normalised(_WIDTHS_18[0]),
        "relu": nn.ReLU(),
        "maxpool": nn.MaxPool2d(3, stride=2, padding=1),
    }
    return _resnet(stem, _WIDTHS_18, _BLOCKS_18, classes, normalised)


def _resnet8(images: ImageShape, classes: int, normalised: "Normalisation") -> "torch.nn.Module":
    from torch import nn

    stem = {
        "conv1": convolution_3x3(images.channels, _WIDTHS_8[0]),
        "bn1": normalised(_WIDTHS_8[0]),
        "relu": nn.ReLU(),
    }
    return _resnet(stem, _WIDTHS_8, _BLOCKS_8, classes, normalised)


def _resnet(
    stem: "dict[str, torch.nn.Module]",
    widths: Sequence[int],
    blocks: int,
    classes: int,
    normalised: "Normalisation",
) -> "torch.nn.Module":
    """Return a network with a stage of `blocks` for each width, each of half the resolution."""
    from collections import OrderedDict

    from torch import nn

    layers = OrderedDict(stem)
    width = widths[0]
    for number, wider in enumerate(widths, 1):
        first = _basic_block(width, wider, normalised, stride=1 if number == 1 else 2)
        others = [_basic_block(wider, wider, normalised, stride=1) for _ in range(blocks - 1)]
        layers[f"layer{number}"] = nn.Sequential(first, *others)
        width = wider
    layers["avgpool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(width, classes)
    model = nn.Sequential(layers)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model


def _batch(width: int) -> "torch.nn.Module":
    from torch import nn

    return nn.BatchNorm2d(width)


def _group(width: int) -> "torch.nn.Module":
    from torch import nn

    return nn.GroupNorm(_GROUPS, width)


def _basic_block(
    width: int, wider: int, normalised: "Normalisation", *, stride: int
) -> "torch.nn.Module":
    """Return two 3×3 convolutions beside a shortcut, a 1×1 convolution where sizes change."""
    import torch
    from torch import nn

    class BasicBlock(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = convolution_3x3(width, wider, stride=stride)
            self.bn1 = normalised(wider)
            self.relu = nn.ReLU()
            self.conv2 = convolution_3x3(wider, wider)
            self.bn2 = normalised(wider)
            self.downsample: nn.Module = nn.Sequential()
            if stride != 1 or width != wider:
                self.downsample = nn.Sequential(
                    nn.Conv2d(width, wider, 1, stride=stride, bias=False), normalised(wider)
                )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.relu(self.bn1(self.conv1(x)))
            y = self.bn2(self.conv2(y)) + self.downsample(x)
            activated: torch.Tensor = self.relu(y)
            return activated

    return BasicBlock()
