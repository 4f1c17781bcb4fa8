"""The Python batches of CIFAR-10, which are pickles.

A pickle names functions, and calls them. Those that NumPy's arrays need are replaced by stand-ins
that only record their arguments, and every other name is refused: the contents of the file never
run, not even NumPy.
"""

import io
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.federated.datasets.checks import Bytes, Split

_UNSIGNED_BYTES = ("u1", "|u1")
_LARGEST_LABEL = 2**31
_NO_BYTES = "is a pickle whose 'data' is not an array of unsigned bytes"


def unpickled(data: bytes) -> Split:
    """Return the pixels, as they are stored, and labels of a batch.

    Raises
    ------
    RefusedFileError
        When the pickle asks for anything but arrays, or holds no such batch.
    """
    content = _load(data)
    if not isinstance(content, dict) or not isinstance(content.get("data"), _Array):
        raise RefusedFileError("is a pickle without an array 'data'")
    labels = content.get("labels")
    if not isinstance(labels, list) or not all(_is_label(label) for label in labels):
        raise RefusedFileError("is a pickle without a list of whole numbers 'labels'")
    return content["data"].values(), np.array(labels, np.int64)


def _is_label(value: object) -> bool:
    return type(value) is int and abs(value) <= _LARGEST_LABEL


def _load(data: bytes) -> object:
    try:
        # The published ones are from Python 2, whose strings are bytes.
        return _Unpickler(io.BytesIO(data), encoding="latin1").load()
    except (RefusedFileError, MemoryError):
        raise
    except Exception as error:
        # Instructions that make no sense raise whatever Python raises over them.
        raise RefusedFileError(f"is not a valid pickle ({type(error).__name__})") from error


class _Dtype:
    """A stand-in for a type of NumPy."""

    def __init__(self, code: object = None, *_rest: object) -> None:
        self.code = code

    def __setstate__(self, _state: object) -> None:
        """Ignore the byte order and the like, which bytes do not have."""


class _Array:
    """A stand-in for an array of NumPy."""

    def __init__(self, *_rest: object) -> None:
        self.said: tuple[Any, Any, Any, Any] = ((), _Dtype(), False, b"")

    def __setstate__(self, state: tuple[Any, Any, Any, Any, Any]) -> None:
        _version, shape, dtype, column_order, data = state
        self.said = (shape, dtype, column_order, data)

    def values(self) -> Bytes:
        try:
            return self._values()
        except (ValueError, OverflowError) as error:
            raise RefusedFileError(_NO_BYTES) from error

    def _values(self) -> Bytes:
        shape, dtype, column_order, data = self.said
        if isinstance(data, str):
            data = data.encode("latin1")
        sound = (
            isinstance(dtype, _Dtype)
            and dtype.code in _UNSIGNED_BYTES
            and isinstance(shape, tuple)
            and all(type(extent) is int and extent >= 0 for extent in shape)
            and isinstance(data, bytes | bytearray)
            and len(data) == math.prod(shape)
        )
        if not sound:
            raise RefusedFileError(_NO_BYTES)
        order: Any = "F" if column_order else "C"
        return np.frombuffer(data, np.uint8).reshape(shape, order=order)


def _reconstruct(*_arguments: object) -> _Array:
    return _Array()


def _from_buffer(data: object, dtype: object, shape: object, order: object) -> _Array:
    array = _Array()
    array.said = (shape, dtype, order == "F", data)
    return array


def _encode(text: str, _encoding: object) -> bytes:
    """Return text as bytes, the way Python 3 writes bytes for Python 2."""
    return text.encode("latin1")


# By module, of NumPy before and after version 2, and name.
_STAND_INS: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        try:
            return _STAND_INS[module, name]
        except KeyError:
            asked = f"{module}.{name}"[:100]
            raise RefusedFileError(
                f"is a pickle that asks for {asked!r}; ariba reads only arrays"
            ) from None
