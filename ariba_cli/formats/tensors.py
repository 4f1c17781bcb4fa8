"""The types and shapes of tensors in model files, and the conversion of their bytes to numbers."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import RefusedFileError, TooManyNamesError
from ariba_cli.files.clock import check_time
from ariba_cli.files.limits import Limits

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

# How NumPy writes the types that it has: little-endian only.
NUMPY_TYPES = {
    "|b1": "BOOL",
    # So Keras and JAX write bfloat16, a type that NumPy has no name for.
    "|V2": "BF16",
    "<V2": "BF16",
    "|u1": "U8",
    "|i1": "I8",
    "<u2": "U16",
    "<i2": "I16",
    "<f2": "F16",
    "<u4": "U32",
    "<i4": "I32",
    "<f4": "F32",
    "<u8": "U64",
    "<i8": "I64",
    "<f8": "F64",
}

# The types that can be scored, as NumPy reads their little-endian bytes.
_FLOATS = {"F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8"}

_MOST_VALUES = 2**53


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """The type of a tensor, by its name in safetensors, and its shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def values(self) -> int:
        """Return the number of values."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Return the number of bytes that the values take."""
        return self.values * SIZES[self.dtype]

    @property
    def is_float(self) -> bool:
        """Return whether the type is a float type, and so can be scored."""
        return self.dtype in _FLOATS


def check_name(name: str, limits: Limits) -> None:
    """Refuse a name that is too long to be shown, or any name once the file's time is up.

    Raises
    ------
    RefusedFileError
        When the name is too long, or the time is up.
    """
    check_time()
    if len(name.encode("utf-8", "surrogatepass")) > limits.name_bytes:
        raise RefusedFileError(f"has a tensor with a name of {len(name):,} characters: too many")


def check_shape(shape: Sequence[int], limits: Limits) -> None:
    """Refuse a shape that no model has, before anything is computed from it.

    Raises
    ------
    RefusedFileError
        When it has too many dimensions, or too many values.
    """
    if len(shape) > limits.dimensions:
        raise RefusedFileError(f"has a tensor of {len(shape):,} dimensions, which are too many")
    if math.prod(extent for extent in shape if extent > 0) > _MOST_VALUES:
        raise RefusedFileError("has a tensor that is larger than any file")


def check_count(count: int, limits: Limits) -> None:
    """Refuse more tensors than a model may have.

    Raises
    ------
    TooManyNamesError
        When the model has more.
    """
    if count > limits.tensors:
        raise TooManyNamesError(f"has {count:,} tensors, more than {limits.tensors:,}")


def check_expanded(specs: Iterable[TensorSpec], limits: Limits) -> None:
    """Refuse to expand more than the budget of a file: a small one could ask for anything.

    Raises
    ------
    RefusedFileError
        When its tensors take more than that.
    """
    total = sum(spec.bytes for spec in specs)
    if total > limits.expanded_bytes:
        raise RefusedFileError(
            f"would expand to {total:,} bytes, more than {limits.expanded_bytes:,}"
        )


def to_row_order(spec: TensorSpec, data: memoryview) -> None:
    """Reorder in place the bytes of a tensor that was stored with its first index fastest."""
    items = np.frombuffer(data, np.dtype((np.void, SIZES[spec.dtype])))
    data[:] = items.reshape(spec.shape, order="F").tobytes()


def to_array(spec: TensorSpec, data: bytes | memoryview) -> npt.NDArray[np.floating]:
    """Return the values of a float tensor, flat, widened only where NumPy lacks the type."""
    values: npt.NDArray[np.floating] = np.frombuffer(data, dtype=_FLOATS[spec.dtype])
    if spec.dtype == "BF16":
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values
