"""Memory that the kernel can copy into at full speed."""

from typing import Any

import numpy as np
import numpy.typing as npt

_PAGE_BYTES = 4096
_LINE_BYTES = 64


def aligned(rows: int, columns: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return an empty array whose first row starts at a page, and all others at a cache line.

    Memory from NumPy and Python starts 16 bytes into a page, and copies from the page cache
    to it take several times as long on common processors.
    """
    kind = np.dtype(dtype)
    stride = -(-columns * kind.itemsize // _LINE_BYTES) * _LINE_BYTES
    memory = np.empty(rows * stride + _PAGE_BYTES, np.uint8)
    start = -int(memory.__array_interface__["data"][0]) % _PAGE_BYTES
    whole = memory[start : start + rows * stride].view(kind)
    return whole.reshape(rows, stride // kind.itemsize)[:, :columns]
