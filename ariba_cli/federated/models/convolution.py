"""The 3×3 convolution of ResNet18, for maps of any size."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def convolution_3x3(channels: int, filters: int, *, stride: int = 1) -> "torch.nn.Module":
    """Return a `torch.nn.Conv2d` with a padding of 1 and no bias, for values that meet the image.

    Of a map no larger than the stride there is one output, and the kernel's values beyond the
    map meet nothing but padding: they are left out, here and in the gradient, where they have 0.
    For images of 32×32 pixels those are 8 of 9 values in the last layers of ResNet18, which have
    most of its weights.
    """
    import torch
    from torch import nn

    class Convolution(nn.Conv2d):
        def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002
            rows, above = _within(input.shape[-2], stride)
            columns, beside = _within(input.shape[-1], stride)
            kernels = self.weight[:, :, rows, columns]
            return nn.functional.conv2d(input, kernels, stride=stride, padding=(above, beside))

    return Convolution(channels, filters, 3, stride=stride, padding=1, bias=False)


def _within(size: int, stride: int) -> tuple[slice, int]:
    """Return the slice of a kernel that meets a map of a size, along one axis, and its padding."""
    if size <= stride:
        return slice(1, 1 + size), 0
    return slice(0, 3), 1
