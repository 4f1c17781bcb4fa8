"""What a model file says of its tensors, and how their bytes become numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.errors import RefusedFileError

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

_MOST_DIMENSIONS = 8
_MOST_VALUES = 2**53
_MOST_NAME_BYTES = 1024


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


def check_name(name: str) -> None:
    """Refuse a name that is too long to be shown.

    Raises
    ------
    RefusedFileError
        When it is.
    """
    if len(name.encode("utf-8", "surrogatepass")) > _MOST_NAME_BYTES:
        raise RefusedFileError(f"has a tensor with a name of {len(name):,} characters")


def check_shape(shape: Sequence[int]) -> None:
    """Refuse a shape that no model has, before anything is computed from it.

    Raises
    ------
    RefusedFileError
        When it has too many dimensions, or too many values in them.
    """
    if len(shape) > _MOST_DIMENSIONS:
        raise RefusedFileError(f"has a tensor of {len(shape):,} dimensions")
    if math.prod(extent for extent in shape if extent > 0) > _MOST_VALUES:
        raise RefusedFileError("has a tensor that is larger than any file")


def check_disjoint(tensors: Mapping[str, TensorSpec]) -> None:
    """Refuse tensors that share bytes: a small file could stand for any amount of data.

    Raises
    ------
    RefusedFileError
        When two do.
    """
    position = 0
    for name, spec in sorted(tensors.items(), key=lambda item: (item[1].offset, item[1].bytes)):
        if spec.bytes == 0:
            continue
        if spec.offset < position:
            raise RefusedFileError(f"has an overlap at {name!r}")
        position = spec.offset + spec.bytes


def to_array(spec: TensorSpec, data: bytes) -> npt.NDArray[np.floating]:
    """The values of a float tensor, of its shape, widened only where NumPy lacks the type."""
    values = np.frombuffer(data, dtype=_FLOATS[spec.dtype])
    if spec.dtype == "BF16":
        values = (values.astype(np.uint32) << 16).view(np.float32)
    array: npt.NDArray[np.floating] = values.reshape(spec.shape)
    return array
