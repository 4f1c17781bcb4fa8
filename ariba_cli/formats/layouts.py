"""The layouts of kernels in files: frameworks differ in the order of axes, fragments do not.

Here a kernel is (out, in, …) as in PyTorch. Keras and Flax store (…, in, out), and MLX
(out, …, in).
"""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.formats.model import Reading, Tensor
from ariba_cli.formats.tensors import TensorSpec
from ariba_cli.formats.wrappers import unwrapped

TORCH, KERAS, MLX = "torch", "keras", "mlx"
LAYOUTS = (TORCH, KERAS, MLX)

# What Keras and Flax call their kernels; Keras's own files number the variables of a layer.
_KERNEL = re.compile(
    r"(?:.*[./])?(?:(?:\w+_)?kernel(?::\d+)?(?:[./](?:raw_)?value)?|vars/\d+)", re.DOTALL
)
# An embedding has a row for each of its inputs in all of them.
_EMBEDDING = re.compile("embed", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Permuted:
    """A tensor whose axes are taken in another order than the stored one.

    Attributes
    ----------
    stored : Tensor
        The tensor as it lies in the file.
    axes : tuple of int
        The axes of the stored shape, in the order in which they are taken.
    """

    stored: Tensor
    axes: tuple[int, ...]

    @property
    def spec(self) -> TensorSpec:
        """Return the type and the permuted shape; see `Tensor`."""
        own = self.stored.spec
        return TensorSpec(own.dtype, tuple(own.shape[axis] for axis in self.axes))

    @property
    def raw_bytes(self) -> int:
        """Return the number of bytes to read; see `Tensor`."""
        return self.stored.raw_bytes

    def read_into(self, reading: Reading, buffer: memoryview) -> None:
        """Fill a buffer; see `Tensor`."""
        self.stored.read_into(reading, buffer)

    def values(self, raw: memoryview) -> npt.NDArray[np.floating]:
        """Return the values in the new order; see `Tensor`."""
        values = self.stored.values(raw)[:].reshape(self.stored.spec.shape)
        return values.transpose(self.axes).reshape(-1)


def layout_by_name(name: str) -> str:
    """Return the layout of a tensor as far as its name shows it, else that of PyTorch."""
    return KERAS if _KERNEL.fullmatch(unwrapped(name)) else TORCH


def laid_out(name: str, tensor: Tensor, layout: str) -> Tensor:
    """Return a tensor of a layout as (out, in, …), or the tensor itself if it is so already.

    Parameters
    ----------
    name : str
        The name of the tensor.
    tensor : Tensor
        The tensor as it is stored.
    layout : str
        One of `LAYOUTS`.
    """
    axes = tuple(range(len(tensor.spec.shape)))
    if layout == KERAS and len(axes) >= 2 and not _EMBEDDING.search(unwrapped(name)):
        return Permuted(tensor, (axes[-1], axes[-2], *axes[:-2]))
    if layout == MLX and len(axes) >= 3:
        return Permuted(tensor, (axes[0], axes[-1], *axes[1:-1]))
    return tensor
