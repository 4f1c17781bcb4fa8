"""The questions that the child answers about a PyTorch file: its tensors, and their values.

Nothing that a pickle names is imported (`unpickling`). PyTorch is not needed: its files are
archives, or rows of pickles, with the bytes of the tensors beside them.
"""

import io
import pickle
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO, Protocol

import numpy as np

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.archive import MAGIC, first_byte, open_archive
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import OpenFile, opened_already
from ariba_cli.formats.isolation.described import Described, Storage, row_strides
from ariba_cli.formats.isolation.unpickling import Unpickler
from ariba_cli.formats.isolation.weights import Weights, find_weights, told
from ariba_cli.formats.tensors import check_count, check_shape

Answer = tuple[Any, Iterable[Any]]

# A pickle is held as it was read, and what it makes beside it.
COPIES = 2

_PIECE_BYTES = 2**24
# What PyTorch's older files start with, and the version of theirs that is known.
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_TORCH_VERSION = 1001
_COUNT_BYTES = 8
# A storage may be pickled within a pickle, and no other within that.
_MOST_NESTED = 1
# At most so many entries that are not weights are reported.
_MOST_TOLD = 100

# What the pickles of the one file that a process is asked about have made: what tensors there
# are is asked first, and then what is in each of them.
_kept: list[tuple["_Pickled", Weights]] = []


def try_out() -> None:
    """Use everything once, so that nothing is left to be loaded."""
    data = pickle.dumps({"model": {"w": [1.0, (b"x", None)]}}, protocol=4)
    _Pickled(_Bytes(data, Limits()))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/data.pkl", data)
    # Names that are not marked as UTF-8 take a codec of their own.
    zipfile.ZipFile(buffer).close()
    storage = Storage("F32", "float", 4, "", 4, bytes(16))
    tensor = Described("float", "F32", (2, 2), (1, 2), 0, storage)
    find_weights({"a": tensor, "b": 1}, Limits())
    told("\x1b")
    list(_pieces(tensor, bytes(16)))


def _tensors(stream: BinaryIO, limits: Limits) -> Answer:
    """Return name, type, shape and place of all tensors, and the entries that were skipped."""
    file, weights = _opened(stream, limits)
    found = [[name, *file.described(one)] for name, one in weights.tensors.items()]
    skipped = list(weights.skipped.items())
    some = [[told(name), told(what)] for name, what in skipped[:_MOST_TOLD]]
    return {"tensors": found, "skipped": some}, ()


def _values(stream: BinaryIO, limits: Limits, *, name: str) -> Answer:
    """Return the values of one tensor, in pieces."""
    file, weights = _opened(stream, limits)
    tensor = weights.tensors[name]
    return None, _pieces(tensor, file.bytes_of(tensor))


QUESTIONS = {"tensors": _tensors, "values": _values}


def _opened(stream: BinaryIO, limits: Limits) -> tuple["_Pickled", Weights]:
    if not _kept:
        pickled = _Pickled(opened_already(stream, limits))
        _kept.append((pickled, find_weights(pickled.root, limits)))
    return _kept[0]


def _pieces(tensor: Described, data: bytes) -> Iterator[Any]:
    """Yield the bytes of a tensor, the last index running fastest."""
    storage = tensor.storage
    assert storage is not None
    size = storage.item_bytes
    if 0 in tensor.shape:
        return
    items = np.frombuffer(data, np.dtype((np.void, size)))
    strides = tuple(size * step for step in tensor.strides)
    view = np.lib.stride_tricks.as_strided(items, tensor.shape, strides, writeable=False)
    if not tensor.shape:
        yield data
        return
    rows = max(1, _PIECE_BYTES * len(view) // (size * view.size))
    for start in range(0, len(view), rows):
        yield np.ascontiguousarray(view[start : start + rows]).view(np.uint8)


class _Source(Protocol):
    """A source of bytes, read by position."""

    @property
    def size(self) -> int: ...

    @property
    def limits(self) -> Limits: ...

    def read(self, offset: int, length: int) -> bytes: ...


class _Bytes:
    """A file inside a file."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        self._data = data
        self.size = len(data)
        self.limits = limits

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes at a position; see `OpenFile`."""
        if offset + length > self.size:
            raise RefusedFileError("ends too early")
        return self._data[offset : offset + length]


class _Stream(io.RawIOBase):
    """The bytes of a source, one after the other."""

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._source.size}
        self._position = start[whence] + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), self._source.size - self._position)
        buffer[:size] = self._source.read(self._position, size)
        self._position += size
        return size


class _Pickled:
    """A file of PyTorch's, or a bare pickle: its root object, and the places of its storages.

    Attributes
    ----------
    root : object
        The object that the pickle makes.
    """

    def __init__(self, source: _Source, *, nested: int = 0) -> None:
        self._source = source
        self._nested = nested
        self._places: dict[str, tuple[int, int]] = {}
        if isinstance(source, OpenFile) and source.head.startswith(MAGIC):
            self.root = self._of_archive(source)
        else:
            self.root = self._of_pickles()

    def described(self, tensor: Described) -> tuple[str, list[int], int | None]:
        """Return type and shape, and the place in the file of values that lie there in order."""
        check_shape(tensor.shape, self._source.limits)
        first, size = self._extent(tensor)
        place, storage = None, tensor.storage
        assert storage is not None
        assert tensor.dtype is not None
        flat = all(
            step == known
            for step, known, extent in zip(
                tensor.strides, row_strides(tensor.shape), tensor.shape, strict=True
            )
            if extent > 1
        )
        if storage.key and size and flat:
            place = self._places[storage.key][0] + first
        return tensor.dtype, list(tensor.shape), place

    def bytes_of(self, tensor: Described) -> bytes:
        """Return the part of its storage that a tensor is a view of."""
        storage = tensor.storage
        assert storage is not None
        first, size = self._extent(tensor)
        if not storage.key:
            return storage.data[first : first + size]
        return self._source.read(self._places[storage.key][0] + first, size)

    def _extent(self, tensor: Described) -> tuple[int, int]:
        """Return the start of a tensor in its storage and its length, in bytes."""
        storage = tensor.storage
        assert storage is not None
        held = len(storage.data)
        if storage.key:
            if storage.key not in self._places:
                raise RefusedFileError(f"has no storage {storage.key[:80]!r}")
            held = self._places[storage.key][1]
        if 0 in tensor.shape:
            return 0, 0
        last = sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
        first, size = tensor.start * storage.item_bytes, (last + 1) * storage.item_bytes
        if first + size > held:
            raise RefusedFileError("holds a tensor that ends beyond its storage")
        return first, size

    def _of_archive(self, file: OpenFile) -> object:
        with open_archive(file) as archive:
            entries = archive.infolist()
            check_count(len(entries), self._source.limits)
            names = [entry.filename for entry in entries]
            pickles = [name for name in names if name.endswith("/data.pkl")]
            if len(pickles) != 1 or len(set(names)) < len(names):
                raise RefusedFileError("is not an archive that PyTorch wrote")
            top = pickles[0].removesuffix("data.pkl")
            if f"{top}constants.pkl" in names:
                raise RefusedFileError("is TorchScript, which is code")
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise RefusedFileError("is an archive that was compressed later; save it again")
            places = {one.filename: (first_byte(one, file), one.file_size) for one in entries}
        order = places.get(f"{top}byteorder")
        if order is not None and self._source.read(*order) != b"little":
            raise RefusedFileError("holds big-endian numbers")
        start = f"{top}data/"
        self._places = {
            name.removeprefix(start): place
            for name, place in places.items()
            if name.startswith(start)
        }
        return self._unpickle(io.BytesIO(self._source.read(*places[pickles[0]])))[0]

    def _of_pickles(self) -> object:
        stream = io.BufferedReader(_Stream(self._source))
        first, _ = self._unpickle(stream)
        if type(first) is not int or first != _TORCH_MAGIC:
            if stream.read(1):
                raise RefusedFileError("holds more than one pickle")
            return first
        (version, _), (system, _) = self._unpickle(stream), self._unpickle(stream)
        if version != _TORCH_VERSION or not isinstance(system, dict):
            raise RefusedFileError("is in an unknown version of PyTorch's format")
        if system.get("little_endian") is not True:
            raise RefusedFileError("holds big-endian numbers")
        (found, storages), (keys, _) = self._unpickle(stream), self._unpickle(stream)
        if not isinstance(keys, list):
            raise RefusedFileError("has no list of its storages")
        position = stream.tell()
        for key in keys:
            if not isinstance(key, str) or key not in storages or key in self._places:
                raise RefusedFileError("has a list of storages that does not fit its tensors")
            count = int.from_bytes(self._source.read(position, _COUNT_BYTES), "little")
            size = count * storages[key].item_bytes
            self._places[key] = position + _COUNT_BYTES, size
            position += _COUNT_BYTES + size
        if position > self._source.size:
            raise RefusedFileError(f"is truncated: its storages end at byte {position:,}")
        return found

    def _unpickle(self, stream: BinaryIO) -> tuple[object, dict[str, Storage]]:
        """Return the object that a pickle makes, and the storages that it names."""
        unpickler = Unpickler(stream, self._load_storage)
        try:
            return unpickler.load(), unpickler.storages
        except (RefusedFileError, MemoryError):
            raise
        except Exception as error:
            # Damaged pickles raise errors of every kind.
            reason = f"is not a valid pickle ({type(error).__name__})"
            raise RefusedFileError(reason) from error

    def _load_storage(self, data: bytes) -> Storage:
        """Return a storage that was pickled as the bytes of a file of PyTorch's."""
        if self._nested == _MOST_NESTED:
            raise RefusedFileError("is a pickle in a pickle in a pickle")
        inner = _Pickled(_Bytes(data, self._source.limits), nested=self._nested + 1)
        storage = inner.root
        if not isinstance(storage, Storage) or storage.key not in inner._places:
            raise RefusedFileError("holds an invalid storage")
        start, size = inner._places[storage.key]
        return replace(storage, key="", data=data[start : start + size])
