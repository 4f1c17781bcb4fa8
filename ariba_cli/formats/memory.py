"""A model that is already in memory, such as that of a federation's server."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import InputError
from ariba_cli.formats.model import Model, Reading, ReadOptions
from ariba_cli.formats.tensors import NUMPY_TYPES, TensorSpec, to_array

NAME = "memory"


@dataclass(frozen=True)
class ArrayTensor:
    """A tensor whose values are an array; see `Tensor`."""

    spec: TensorSpec
    array: npt.NDArray[np.generic]

    @property
    def raw_bytes(self) -> int:
        """Return the number of bytes; see `Tensor`."""
        return self.spec.bytes

    def read_into(self, _: Reading, buffer: memoryview) -> None:
        """Fill a buffer; see `Tensor`."""
        # As bytes, so that a NaN keeps its payload and every type is copied alike.
        buffer[:] = self.array.tobytes()

    def values(self, raw: memoryview) -> npt.NDArray[np.floating]:
        """Return the values; see `Tensor`."""
        return to_array(self.spec, raw)


def model_in_memory(tensors: Mapping[str, npt.NDArray[np.generic]]) -> Model:
    """Return a model of arrays.

    Raises
    ------
    InputError
        When an array is of a type that no model file may hold.
    """
    return Model(NAME, (), {name: _tensor(name, one) for name, one in tensors.items()}, _OPTIONS)


def _tensor(name: str, array: npt.NDArray[np.generic]) -> ArrayTensor:
    ordered = array.astype(array.dtype.newbyteorder("<"), copy=False)
    dtype = NUMPY_TYPES.get(ordered.dtype.newbyteorder("<").str)
    if dtype is None:
        raise InputError(f"'{name}' is an array of {array.dtype}; give one of floats")
    return ArrayTensor(TensorSpec(dtype, array.shape), ordered)


_OPTIONS = ReadOptions()
