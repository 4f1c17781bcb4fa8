"""ResNet18 (He et al. 2015, arXiv 1512.03385), with the parameter names of torchvision.

The stem is that for large images, a 7×7 convolution of stride 2 and a max-pool: the accuracy
that arXiv 2202.04311 gives for CIFAR-10 fits it, and it takes a sixteenth of the arithmetic.
"""

from typing import TYPE_CHECKING

from ariba_cli.federated.models.architecture import ImageShape
from ariba_cli.federated.models.convolution import convolution_3x3

if TYPE_CHECKING:
    import torch

_WIDTHS = (64, 128, 256, 512)
_BLOCKS = 2


def build_resnet18(images: ImageShape, classes: int) -> "torch.nn.Module":
    """`conv1`, `bn1`, `layer1` to `layer4` of two basic blocks each, `fc`."""
    from collections import OrderedDict

    from torch import nn

    stages: OrderedDict[str, nn.Module] = OrderedDict()
    width = _WIDTHS[0]
    for number, wider in enumerate(_WIDTHS, 1):
        first = _basic_block(width, wider, stride=1 if number == 1 else 2)
        others = [_basic_block(wider, wider, stride=1) for _ in range(_BLOCKS - 1)]
        stages[f"layer{number}"] = nn.Sequential(first, *others)
        width = wider
    model = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(images.channels, _WIDTHS[0], 7, stride=2, padding=3, bias=False),
            bn1=nn.BatchNorm2d(_WIDTHS[0]),
            relu=nn.ReLU(),
            maxpool=nn.MaxPool2d(3, stride=2, padding=1),
            **stages,
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(width, classes),
        )
    )
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model


def _basic_block(width: int, wider: int, *, stride: int) -> "torch.nn.Module":
    """Two 3×3 convolutions beside a shortcut, which is a 1×1 convolution where sizes change."""
    import torch
    from torch import nn

    class BasicBlock(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = convolution_3x3(width, wider, stride=stride)
            self.bn1 = nn.BatchNorm2d(wider)
            self.relu = nn.ReLU()
            self.conv2 = convolution_3x3(wider, wider)
            self.bn2 = nn.BatchNorm2d(wider)
            self.downsample: nn.Module = nn.Sequential()
            if stride != 1 or width != wider:
                self.downsample = nn.Sequential(
                    nn.Conv2d(width, wider, 1, stride=stride, bias=False), nn.BatchNorm2d(wider)
                )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.relu(self.bn1(self.conv1(x)))
            y = self.bn2(self.conv2(y)) + self.downsample(x)
            activated: torch.Tensor = self.relu(y)
            return activated

    return BasicBlock()
