"""A model on disk, as its format describes it: which tensors it has, and how to read them."""

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
from ariba_cli.formats.isolation.parent import Isolation
from ariba_cli.formats.lowrank import LowRank
from ariba_cli.formats.tensors import TensorSpec, to_array, to_row_order

# A multiple of the size of every type, and less than what a processor's own cache holds.
_PIECE_BYTES = 2**18

# Values that are reckoned with at a time.
_BLOCK = 2**18

# The numbers of one tensor, in storage order: an array, or what gives them when asked.
Values = npt.NDArray[np.floating] | LowRank


@dataclass(frozen=True)
class ReadOptions:
    """Under which terms files are opened.

    Attributes
    ----------
    limits : what a file may take.
    names : what arrays without names are called, in the order of the model.
    trust_pickles : whether PyTorch's pickles are opened at all.
    isolation : the processes that parse HDF5 and pickles.
    """

    limits: Limits = field(default_factory=Limits)
    names: tuple[str, ...] | None = None
    trust_pickles: bool = False
    isolation: Isolation = field(default_factory=Isolation, compare=False)


class ListedFile(NamedTuple):
    """One of the files of a model, and what it was when its tensors were listed."""

    path: Path
    stamp: Stamp


class Tensor(Protocol):
    """One tensor of a model, and how its bytes are read."""

    @property
    def spec(self) -> TensorSpec:
        """Its type and shape."""
        ...

    @property
    def raw_bytes(self) -> int:
        """How many bytes are read for it."""
        ...

    def read_into(self, reading: "Reading", buffer: memoryview) -> None:
        """Fill a buffer of that size with its bytes, the last index running fastest.

        Raises
        ------
        RefusedFileError
            When that cannot be.
        """
        ...

    def values(self, raw: memoryview) -> Values:
        """What the bytes say, for a tensor of a float type."""
        ...


@dataclass(frozen=True)
class Model:
    """What one participant sent, or the server. Its files are not open.

    Attributes
    ----------
    format : its name in `FILE_FORMATS` or `FOLDER_FORMATS`.
    files : the files that it is made of.
    tensors : its tensors by name, in the file's order.
    terms : under which its files are opened again, to be read.
    skipped : what else is in its files and cannot be scored, by name, each in a word.
    chosen : which of several models in a folder it is, and by what; empty where it is the only one.
    layout : how its files say that kernels lie in them; see `layouts`. Empty where they do not.
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
        """The size of its files."""
        return sum(file.stamp.size for file in self.files)

    @contextmanager
    def reading(self) -> Iterator["Reading"]:
        """Open its files again, each once and when it is first needed.

        Raises
        ------
        RefusedFileError
            When one has changed since the tensors were listed, or until the block ends.
        """
        with ExitStack() as opened:
            yield Reading(self, opened)

    def read(self, name: str) -> memoryview:
        """The bytes of one tensor; see `Reading.read`."""
        with self.reading() as reading:
            return reading.read(name)

    def floats(self) -> Iterator[tuple[str, npt.NDArray[np.floating]]]:
        """Names and values, in their shapes, of the float tensors, one after the other."""
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
        """One of its files."""
        if index not in self._files:
            path, stamp = self.model.files[index]
            opening = open_file(path, self.model.terms.limits, expected=stamp)
            self._files[index] = self._opened.enter_context(opening)
        return self._files[index]

    def read(self, name: str, memory: "Memory | None" = None) -> memoryview:
        """The bytes of one tensor, and no others.

        Parameters
        ----------
        memory : where they go; None for memory of their own.

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

    def pieces(self, name: str, memory: "Memory") -> Iterator[memoryview]:
        """The bytes of one tensor, a piece at a time where that is possible; see `read`.

        A tensor that lies in its file in one piece may be larger than memory, and a file with
        holes costs nothing to send.
        """
        tensor = self.model.tensors[name]
        if not in_one_piece(tensor):
            yield self.read(name, memory)
            return
        for start in range(0, tensor.raw_bytes, _PIECE_BYTES):
            piece = memory.take(min(_PIECE_BYTES, tensor.raw_bytes - start))
            self.file(tensor.file).read_into(piece, tensor.offset + start)
            yield piece


class Memory(Protocol):
    """Where the bytes of tensors go."""

    def take(self, size: int) -> memoryview:
        """Room for as many bytes."""
        ...


class Onward:
    """Memory in which one piece comes after the other."""

    def __init__(self, memory: memoryview) -> None:
        self._rest = memory

    def take(self, size: int) -> memoryview:
        """The next bytes."""
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


class Scratch:
    """Memory that is used again for one tensor after the other."""

    def __init__(self) -> None:
        self._memory: npt.NDArray[np.generic] = np.empty(0, np.uint8)

    def take(self, size: int) -> memoryview:
        """As many bytes; what was in those that were taken before is lost."""
        if len(self._memory) < size:
            self._memory = aligned(1, size, np.uint8)[0]
        return self._memory.data[:size]


@dataclass(frozen=True, slots=True)
class Extent:
    """A tensor whose bytes lie in one piece in a file of its model.

    Attributes
    ----------
    offset : its first byte, counted from the start of the file.
    file : which of the model's files.
    column_order : whether its values are stored with the first index running fastest.
    """

    spec: TensorSpec
    offset: int
    file: int = 0
    column_order: bool = False

    @property
    def raw_bytes(self) -> int:
        """See `Tensor`."""
        return self.spec.bytes

    def read_into(self, reading: Reading, buffer: memoryview) -> None:
        """See `Tensor`."""
        reading.file(self.file).read_into(buffer, self.offset)
        if self.column_order:
            to_row_order(self.spec, buffer)

    def values(self, raw: memoryview) -> npt.NDArray[np.floating]:
        """See `Tensor`."""
        return to_array(self.spec, raw)


def told(entry: object, unsound: str) -> tuple[str, str]:
    """Name and kind of what a child has passed over, as it tells them.

    Raises
    ------
    RefusedFileError
        When they are none; `unsound` is what is then wrong with the file.
    """
    match entry:
        case [str(name), str(what)] if what.isprintable():
            return name, what
        case _:
            raise RefusedFileError(unsound)


def in_one_piece(tensor: Tensor) -> TypeGuard[Extent]:
    """Whether any part of a tensor can be read without the rest."""
    return isinstance(tensor, Extent) and not tensor.column_order


def sum_of_squares(values: Values, start: Values | None = None) -> float:
    """The sum of the squares of values less those that they started from, in float64.

    What is too large to be squared makes it infinite or NaN.
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
        When one does.
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
