"""A tensor in a file, known by what it takes to read it: little enough to be sent to others."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import ANY_DEVICE, OpenFile, enough_memory, open_file
from ariba_cli.files.places import is_remote, readers
from ariba_cli.formats.model import Extent, ListedFile, Scratch
from ariba_cli.formats.tensors import SIZES, TensorSpec, to_array
from ariba_cli.updates.fragments import Indices
from ariba_cli.updates.nonfinite import NonFiniteCounter
from ariba_cli.updates.positions import runs

Array = npt.NDArray[np.floating]

# The types whose bytes NumPy can use as they lie in a file.
AS_STORED = {"F32": np.float32, "F64": np.float64}

# Values that are checked at a time: as many as one answer of an object store brings, or more.
_BLOCK = 2**20


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that lies in one piece in a file.

    Attributes
    ----------
    file : ListedFile
        The file.
    limits : Limits
        The limits on it.
    spec : TensorSpec
        The type and shape of the tensor.
    offset : int
        The position of its first byte in the file.
    dtype : dtype
        The narrowest type that NumPy computes in and that holds the values.
    """

    file: ListedFile
    limits: Limits
    spec: TensorSpec
    offset: int
    dtype: np.dtype[np.floating]

    @classmethod
    def of(
        cls, file: ListedFile, limits: Limits, extent: Extent, dtype: np.dtype[np.floating]
    ) -> "StoredTensor":
        """Return the tensor that lies at an extent of a file."""
        return cls(file, limits, extent.spec, extent.offset, dtype)

    def elsewhere(self) -> "StoredTensor":
        """Return the same tensor for other machines, which count devices in their own ways."""
        path, stamp = self.file
        if is_remote(path):
            return self
        file = ListedFile(path.absolute(), stamp._replace(device=ANY_DEVICE))
        return replace(self, file=file)

    @property
    def readers(self) -> int | None:
        """Return the number of threads that best read such tensors; None for one per core."""
        return readers(self.file.path)

    @property
    def size(self) -> int:
        """Return the number of values."""
        return self.spec.values

    def __getitem__(self, which: slice | Indices) -> Array:
        """Return some of the values; see `pieces`."""
        if not isinstance(which, slice):
            return self._at(which)
        start, stop = which.start, min(which.stop, self.size)
        values: Array = np.empty(stop - start, self.dtype)
        for _ in self.pieces(start, stop, values):
            pass
        return values

    def pieces(self, start: int, stop: int, out: Array) -> Iterator[tuple[memoryview, Array]]:
        """Write the values from start to stop into an array, and yield each piece when it is there.

        Yields
        ------
        raw : memoryview
            The bytes of the piece in the file.
        values : array
            The values that they stand for, a part of `out`.

        Raises
        ------
        RefusedFileError
            When they cannot be read.
        """
        as_stored = AS_STORED.get(self.spec.dtype) == out.dtype
        memory, item = None if as_stored else Scratch(), SIZES[self.spec.dtype]
        with self._opened() as file:
            step = file.piece_bytes // item
            for first in range(start, stop, step):
                part = out[first - start : min(first + step, stop) - start]
                size = part.size * item
                raw = part.view(np.uint8).data if memory is None else memory.take(size)
                file.read_into(raw, self.offset + first * item)
                if memory is not None:
                    part[:] = self._values(raw)
                yield raw, part

    def _at(self, positions: Indices) -> Array:
        item = SIZES[self.spec.dtype]
        raw, done = memoryview(bytearray(len(positions) * item)), 0
        with self._opened() as file:
            for start, stop in runs(positions):
                length = (stop - start) * item
                file.read_into(raw[done : done + length], self.offset + start * item)
                done += length
        return self._values(raw)

    def checked(self) -> tuple[str, NonFiniteCounter]:
        """Return the SHA-256 of all its bytes, and the values that are unusable; see `pieces`."""
        sha256, unusable = hashlib.sha256(), NonFiniteCounter()
        buffer = np.empty(min(_BLOCK, self.spec.values), self.dtype)
        for start in range(0, self.spec.values, _BLOCK):
            stop = min(start + _BLOCK, self.spec.values)
            for raw, values in self.pieces(start, stop, buffer[: stop - start]):
                sha256.update(raw)
                unusable.count(values)
        return sha256.hexdigest(), unusable

    @contextmanager
    def _opened(self) -> Iterator[OpenFile]:
        path, stamp = self.file
        with enough_memory(), open_file(path, self.limits, expected=stamp) as file:
            yield file

    def _values(self, raw: memoryview) -> Array:
        return to_array(self.spec, raw).astype(self.dtype, copy=False)
