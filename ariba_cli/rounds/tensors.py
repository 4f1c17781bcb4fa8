"""What a model file says of its tensors, and how their bytes become numbers."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Bytes per value of every type that a model file may hold.
SIZES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "U16": 2,
    "I16": 2,
    "F16": 2,
    "BF16": 2,
    "U32": 4,
    "I32": 4,
    "F32": 4,
    "U64": 8,
    "I64": 8,
    "F64": 8,
}

# The types that can be scored, as NumPy reads their little-endian bytes.
_FLOATS = {"F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8"}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One tensor of a model file, and where its bytes are.

    Attributes
    ----------
    dtype : its type, by the name that safetensors gives it.
    shape : its shape.
    offset : its first byte, counted from the start of the file.
    """

    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def values(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """How many bytes they take."""
        return self.values * SIZES[self.dtype]

    @property
    def is_float(self) -> bool:
        """Whether it can be scored."""
        return self.dtype in _FLOATS


def to_array(spec: TensorSpec, data: bytes) -> npt.NDArray[np.floating]:
    """The values of a float tensor, of its shape, widened only where NumPy lacks the type."""
    values = np.frombuffer(data, dtype=_FLOATS[spec.dtype])
    if spec.dtype == "BF16":
        values = (values.astype(np.uint32) << 16).view(np.float32)
    array: npt.NDArray[np.floating] = values.reshape(spec.shape)
    return array
