"""A model on disk, as its format describes it: a list of its tensors, and their readers."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol, TypeGuard

import numpy as np
import numpy.typing as npt

from ariba_cli.base.aligned import aligned
from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import OpenFile, Stamp, open_file
from ariba_cli.files.places import readers
from ariba_cli.formats.isolation.parent import Isolation
from ariba_cli.formats.lowrank import LowRank
from ariba_cli.formats.tensors import TensorSpec, to_array, to_row_order

# The number of values that are processed at a time.
_BLOCK = 2**18

# The numbers of one tensor, in storage order: an array, or what gives them when asked.
Values = npt.NDArray[np.floating] | LowRank


@dataclass(frozen=True)
class ReadOptions:
    """The terms under which files are opened.

    Attributes
    ----------
    limits : Limits
        The limits on each file.
    names : tuple of str, optional
        The names of arrays that have none, in the order of the model; None if not given.
    trust_pickles : bool
        True to open PyTorch's pickles at all.
    isolation : Isolation
        The processes that parse HDF5 and pickles.
    """

    limits: Limits = field(default_factory=Limits)
    names: tuple[str, ...] | None = None
    trust_pickles: bool = False
    isolation: Isolation = field(default_factory=Isolation, compare=False)


class ListedFile(NamedTuple):
    """A file of a model, with its stamp from the time when its tensors were listed."""

    path: Path
    stamp: Stamp


class Tensor(Protocol):
    """A tensor of a model, with a way to read its bytes."""

    @property
    def spec(self) -> TensorSpec:
        """Return the type and shape."""
        ...

    @property
    def raw_bytes(self) -> int:
        """Return the number of bytes to read."""
        ...

    def read_into(self, reading: "Reading", buffer: memoryview) -> None:
        """Fill a buffer of `raw_bytes` with the tensor's bytes, the last index running fastest.

        Raises
        ------
        RefusedFileError
            When the bytes cannot be read.
        """
        ...

    def values(self, raw: memoryview) -> Values:
        """Return the values that the bytes stand for, if the tensor is of a float type."""
        ...


@dataclass(frozen=True)
class Model:
    """The model of a participant or of the server. Its files are not open.

    Attributes
    ----------
    format : str
        The name of its format in `FILE_FORMATS` or `FOLDER_FORMATS`.
    files : tuple of ListedFile
        The files that it is made of.
    tensors : mapping of str to Tensor
        Its tensors by name, in the file's order.
    terms : ReadOptions
        The terms under which its files are opened again, to be read.
    skipped : mapping of str to str
        The entries of its files that cannot be scored, by name, with their kinds.
    chosen : str
        The choice made among several models in a folder, in words; empty if there was only one.
    layout : str
        The layout of kernels that its files state; see `layouts`. Empty if they state none.
    """

    format: str
    files: tuple[ListedFile, ...]
    tensors: Mapping[str, Tensor]
    terms: ReadOptions
    skipped: Mapping[str, str] = field(default_factory=dict)
    chosen: str = ""
    layout: str = ""

    @property
    def bytes(self) -> int:
        """Return the size of its files."""
        return sum(file.stamp.size for file in self.files)

    @property
    def readers(self) -> int | None:
        """Return the number of threads that best read such models; None for one per core."""
        return readers(self.files[0].path) if self.files else None

    @contextmanager
    def reading(self) -> Iterator["Reading"]:
        """Open its files again, each once and not before it is needed.

        Raises
        ------
        RefusedFileError
            When one has changed since the tensors were listed, or changes before the block ends.
        """
        with ExitStack() as opened:
            yield Reading(self, opened)

    def read(self, name: str) -> memoryview:
        """Return the bytes of one tensor; see `Reading.read`."""
        with self.reading() as reading:
            return reading.read(name)

    def floats(self) -> Iterator[tuple[str, npt.NDArray[np.floating]]]:
        """Yield the name and the values, in their shape, of each float tensor."""
        with self.reading() as reading:
            for name, tensor in self.tensors.items():
                if tensor.spec.is_float:
                    values = tensor.values(reading.read(name))
                    yield name, values[:].reshape(tensor.spec.shape)


class Reading:
    """A model whose files stay open; see `Model.reading`."""

    def __init__(self, model: Model, opened: ExitStack) -> None:
        self.model = model
        self._opened = opened
        self._files: dict[int, OpenFile] = {}

    def file(self, index: int) -> OpenFile:
        """Return one of the model's files, open."""
        if index not in self._files:
            path, stamp = self.model.files[index]
            opening = open_file(path, self.model.terms.limits, expected=stamp)
            self._files[index] = self._opened.enter_context(opening)
        return self._files[index]

    def read(self, name: str, memory: "Memory | None" = None) -> memoryview:
        """Return the bytes of one tensor, and no others.

        Parameters
        ----------
        name : str
            The name of the tensor.
        memory : Memory, optional
            The memory that receives the bytes; None to allocate it.

        Raises
        ------
        RefusedFileError
            When they cannot be read, or memory cannot hold them.
        """
        tensor = self.model.tensors[name]
        try:
            buffer = (memory or Scratch()).take(tensor.raw_bytes)
        except MemoryError:
            raise RefusedFileError(
                f"has a tensor of {tensor.raw_bytes:,} bytes, which memory cannot hold"
            ) from None
        tensor.read_into(self, buffer)
        return buffer

    def pieces(
        self, name: str, memory: "Memory", first_bytes: int | None = None
    ) -> Iterator[memoryview]:
        """Yield the bytes of one tensor, a piece at a time where that is possible; see `read`.

        A tensor that lies in its file in one piece may be larger than memory, and a file with
        holes costs nothing to send. `first_bytes` makes the first piece smaller, where it is likely
        to be the last that is needed.
        """
        tensor = self.model.tensors[name]
        if not in_one_piece(tensor):
            yield self.read(name, memory)
            return
        file = self.file(tensor.file)
        start, most = 0, first_bytes or file.piece_bytes
        while start < tensor.raw_bytes:
            piece = memory.take(min(most, tensor.raw_bytes - start))
            file.read_into(piece, tensor.offset + start)
            yield piece
            start, most = start + most, file.piece_bytes


class Memory(Protocol):
    """A supply of memory for the bytes of tensors."""

    def take(self, size: int) -> memoryview:
        """Return memory for that many bytes."""
        ...


class Onward:
    """A stretch of memory that is handed out piece by piece."""

    def __init__(self, memory: memoryview) -> None:
        self._rest = memory

    def take(self, size: int) -> memoryview:
        """Return the next bytes."""
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


class Scratch:
    """A piece of memory that is reused for one tensor after the other."""

    def __init__(self) -> None:
        self._memory: npt.NDArray[np.generic] = np.empty(0, np.uint8)

    def take(self, size: int) -> memoryview:
        """Return that many bytes; the contents of those taken before are lost."""
        if len(self._memory) < size:
            self._memory = aligned(1, size, np.uint8)[0]
        return self._memory.data[:size]


@dataclass(frozen=True, slots=True)
class Extent:
    """A tensor whose bytes lie in one piece in a file of its model.

    Attributes
    ----------
    spec : TensorSpec
        Its type and shape.
    offset : int
        The position of its first byte, counted from the start of the file.
    file : int
        The index of its file among the model's files.
    column_order : bool
        True if its values are stored with the first index running fastest.
    """

    spec: TensorSpec
    offset: int
    file: int = 0
    column_order: bool = False

    @property
    def raw_bytes(self) -> int:
        """Return the number of bytes; see `Tensor`."""
        return self.spec.bytes

    def read_into(self, reading: Reading, buffer: memoryview) -> None:
        """Fill a buffer; see `Tensor`."""
        reading.file(self.file).read_into(buffer, self.offset)
        if self.column_order:
            to_row_order(self.spec, buffer)

    def values(self, raw: memoryview) -> npt.NDArray[np.floating]:
        """Return the values; see `Tensor`."""
        return to_array(self.spec, raw)


def in_one_piece(tensor: Tensor) -> TypeGuard[Extent]:
    """Return whether any part of a tensor can be read without the rest."""
    return isinstance(tensor, Extent) and not tensor.column_order


def sum_of_squares(values: Values, start: Values | None = None) -> float:
    """Return the sum of squared differences of values to their starting values, in float64.

    Values too large to be squared make it infinite or NaN. Without `start`, the values
    themselves are squared.
    """
    if isinstance(values, LowRank) and start is None:
        return values.squares()
    total = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for first in range(0, values.size, _BLOCK):
            block = slice(first, first + _BLOCK)
            reference = 0.0 if start is None else start[block]
            moved = np.subtract(values[block], reference, dtype=np.float64)
            total += float(np.square(moved).sum())
    return total


def check_disjoint(tensors: Mapping[str, Extent], size: int) -> None:
    """Refuse tensors that end beyond their file, or share bytes in it.

    A small file could otherwise stand for any amount of data.

    Raises
    ------
    RefusedFileError
        When a tensor does either.
    """
    position = 0
    for name, one in sorted(tensors.items(), key=lambda item: (item[1].offset, item[1].raw_bytes)):
        if one.raw_bytes == 0:
            continue
        if one.offset < position:
            raise RefusedFileError(f"has an overlap at {name!r}")
        position = one.offset + one.raw_bytes
        if position > size:
            raise RefusedFileError(f"is truncated: {name!r} ends beyond byte {size:,}")
