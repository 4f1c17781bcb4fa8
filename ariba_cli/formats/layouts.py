"""How the axes of kernels lie in a file: frameworks differ, and fragments are cut in one way.

Here a kernel is (out, in, …) as in PyTorch. Keras and Flax hold (…, in, out), and MLX
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
    """A tensor whose values are taken in another order of its axes than they are stored in.

    Attributes
    ----------
    stored : Tensor
        As it lies in the file.
    axes : tuple of int
        Of the stored shape, in the order in which they are taken.
    """

    stored: Tensor
    axes: tuple[int, ...]

    @property
    def spec(self) -> TensorSpec:
        """See `Tensor`."""
        own = self.stored.spec
        return TensorSpec(own.dtype, tuple(own.shape[axis] for axis in self.axes))

    @property
    def raw_bytes(self) -> int:
        """See `Tensor`."""
        return self.stored.raw_bytes

    def read_into(self, reading: Reading, buffer: memoryview) -> None:
        """See `Tensor`."""
        self.stored.read_into(reading, buffer)

    def values(self, raw: memoryview) -> npt.NDArray[np.floating]:
        """See `Tensor`."""
        values = self.stored.values(raw)[:].reshape(self.stored.spec.shape)
        return values.transpose(self.axes).reshape(-1)


def layout_by_name(name: str) -> str:
    """Return the layout of a tensor as far as its name shows it, else that of PyTorch."""
    return KERAS if _KERNEL.fullmatch(unwrapped(name)) else TORCH


def laid_out(name: str, tensor: Tensor, layout: str) -> Tensor:
    """Return a tensor of a layout as (out, in, …); itself where that is what it is.

    Parameters
    ----------
    name : str
        What it is called.
    tensor : Tensor
        As it is stored.
    layout : str
        One of `LAYOUTS`.
    """
    axes = tuple(range(len(tensor.spec.shape)))
    if layout == KERAS and len(axes) >= 2 and not _EMBEDDING.search(unwrapped(name)):
        return Permuted(tensor, (axes[-1], axes[-2], *axes[:-2]))
    if layout == MLX and len(axes) >= 3:
        return Permuted(tensor, (axes[0], axes[-1], *axes[1:-1]))
    return tensor
