"""The values of one layer: in memory where they are few, else in their files until needed."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ariba_cli.base.aligned import aligned
from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.base.findings import FindingKind
from ariba_cli.base.parallel import one_blas_thread, thread_map
from ariba_cli.base.progress import Progress
from ariba_cli.files.opening import enough_memory
from ariba_cli.formats.factors import Change
from ariba_cli.formats.layouts import Permuted
from ariba_cli.formats.model import (
    Memory,
    Model,
    Onward,
    Reading,
    Scratch,
    Tensor,
    Values,
    in_one_piece,
)
from ariba_cli.formats.tensors import SIZES, to_array
from ariba_cli.rounds.layers import Layer
from ariba_cli.updates.factors import leave_out_large
from ariba_cli.updates.fragments import Indices, TensorValues
from ariba_cli.updates.intake import Submission, why_not_offered
from ariba_cli.updates.nonfinite import NonFiniteCounter
from ariba_cli.updates.positions import runs

Array = npt.NDArray[np.floating]

# The types whose bytes NumPy can use as they lie in a file.
_AS_STORED = {"F32": np.float32, "F64": np.float64}

_BLOCK = 2**18
# So few values of all participants are sooner read than threads are started.
_FEW = 2**21
# What is held of a layer, though there were room for more: beyond it, memory that the system
# has to clear first takes longer than reading the files once more.
_MOST_HELD = 2**25


class LeftOutError(Exception):
    """A participant that turned out to be unusable while a layer was scored."""


@dataclass(frozen=True)
class LayerValues:
    """The values of one layer that are scored.

    Attributes
    ----------
    submissions : sequence of Submission
        The participants that are scored, in id order.
    tensors : sequence of TensorValues, or array
        Their values; see `Fragments`.
    """

    submissions: Sequence[Submission]
    tensors: Sequence[TensorValues] | Array

    def without_left_out(self) -> "LayerValues":
        """Return the values of participants that have not been left out since."""
        kept = [index for index, one in enumerate(self.submissions) if one.finding is None]
        if len(kept) == len(self.submissions):
            return self
        submissions = [self.submissions[index] for index in kept]
        if not isinstance(self.tensors, np.ndarray):
            return LayerValues(submissions, [self.tensors[index] for index in kept])
        for row, index in enumerate(kept):
            if row < index:
                self.tensors[row] = self.tensors[index]
        return LayerValues(submissions, self.tensors[: len(kept)])

    def read_to_the_end(self, progress: Progress) -> None:
        """Hash and check the values that were not needed yet, and leave out who is unusable."""
        in_files = [one for one in self.tensors if isinstance(one, LazyTensor)]
        readers = in_files[0].readers if in_files else None
        read = thread_map(LazyTensor.read_to_the_end, in_files, workers=readers)
        for done, _ in enumerate(read, 1):
            progress("checking the rest", done, len(in_files))


def read_layer(
    submissions: Sequence[Submission], layer: Layer, memory: int, progress: Progress
) -> LayerValues:
    """Read one layer of every participant that is not left out yet, and check it.

    Parameters
    ----------
    submissions : Sequence[Submission]
        The submissions of all participants; those that turn out to be unusable are left out.
    layer : Layer
        The layer to read.
    memory : int
        The number of bytes that the values may take. Values that do not fit stay in their files,
        except for the thin factors of adapters. They are hashed and checked when they are first
        read in order, and raise LeftOutError when they turn out to be unusable.
    progress : Progress
        A callback that is told how many participants have been read.

    Raises
    ------
    InputError
        When the values do not fit, and have to be unpacked as a whole.
    """
    offered = [_Offered.of(one, layer) for one in submissions]
    taken = [one for one in offered if one is not None]
    factors = [(one.submission, one.factors) for one in taken if one.factors is not None]
    if leave_out_large(factors, layer.name, memory):
        taken = [one for one in taken if one.submission.finding is None]
    whole = [one for one in taken if one.factors is None]
    stay = _stay_in_files(taken, layer, memory)
    if not stay and len(whole) == len(taken):
        rows = aligned(len(taken), layer.spec.values, _common_type(taken))
        _read(taken, rows, layer, progress)
        return LayerValues([one.submission for one in taken], rows).without_left_out()
    read = [one for one in taken if one.factors or not stay]
    values = iter(_read(read, [one.buffer() for one in read], layer, progress))
    tensors = [next(values) if one.factors or not stay else LazyTensor(one) for one in taken]
    return LayerValues(
        [one.submission for one in taken if one.submission.finding is None],
        [tensor for tensor in tensors if tensor is not None],
    )


def _read(
    taken: Sequence["_Offered"],
    buffers: Sequence[Array | None] | Array,
    layer: Layer,
    progress: Progress,
) -> list[Values | None]:
    """Read several tensors at a time, and return None for those that are unusable."""
    values = []
    with one_blas_thread():
        workers = _readers(taken) or (1 if len(taken) * layer.spec.values < _FEW else None)
        read = thread_map(_Offered.read, taken, buffers, workers=workers)
        for done, found in enumerate(read, 1):
            values.append(found)
            progress(f"reading {layer.name}", done, len(taken))
    return values


@dataclass(frozen=True)
class _Offered:
    """A participant's tensor of the layer, in the form that the others have."""

    submission: Submission
    model: Model
    name: str
    layer: str

    @classmethod
    def of(cls, submission: Submission, layer: Layer) -> "_Offered | None":
        """Return a participant's tensor of the layer; leave the participant out if it has none."""
        model = submission.model
        if submission.finding is not None or model is None:
            return None
        wrong = why_not_offered(model, layer)
        if wrong is not None:
            submission.reject(wrong.kind, wrong.detail, layer.name, **wrong.facts)
            return None
        return cls(submission, model, str(layer.name_in(model.tensors)), layer.name)

    @property
    def tensor(self) -> Tensor:
        """Return the tensor as the model describes it."""
        return self.model.tensors[self.name]

    @property
    def dtype(self) -> "np.dtype[np.floating]":
        """Return the narrowest type that NumPy computes in and that holds the values."""
        return np.dtype(np.float64 if self.tensor.spec.dtype == "F64" else np.float32)

    @property
    def factors(self) -> Change | None:
        """Return the thin factors of the tensor; None where it has an array of values."""
        return self.tensor if isinstance(self.tensor, Change) else None

    def buffer(self) -> Array | None:
        """Return memory for its values; None where they are never formed."""
        return None if self.factors else np.empty(self.tensor.spec.values, self.dtype)

    def read(self, buffer: Array | None) -> Values | None:
        """Read, hash and check the tensor; return None, with the participant left out, on failure.

        The values go to `buffer`, which is None for a tensor that has no array of values.
        """
        unusable = NonFiniteCounter()
        try:
            with enough_memory():
                values, digest = self._change() if buffer is None else self._array(buffer, unusable)
        except RefusedFileError as error:
            self.submission.reject(FindingKind.REFUSED, str(error))
            return None
        if buffer is None:
            unusable.count(values)
        self.settle(digest, unusable)
        return values if self.submission.finding is None else None

    def _change(self) -> tuple[Values, str]:
        raw = self.model.read(self.name)
        return self.tensor.values(raw), hashlib.sha256(raw).hexdigest()

    def _array(self, buffer: Array, unusable: NonFiniteCounter) -> tuple[Array, str]:
        """Return the values, which are counted while they are in the processor's cache."""
        sha256, position = hashlib.sha256(), 0
        as_stored = _AS_STORED.get(self.tensor.spec.dtype) == buffer.dtype
        as_stored = as_stored and not isinstance(self.tensor, Permuted)
        memory: Memory = Onward(buffer.view(np.uint8).data) if as_stored else Scratch()
        with self.model.reading() as reading:
            for piece in reading.pieces(self.name, memory):
                sha256.update(piece)
                values = self.tensor.values(piece)
                part = buffer[position : position + values.size]
                if not as_stored:
                    part[:] = values[:]
                unusable.count(part)
                position += values.size
        return buffer, sha256.hexdigest()

    def settle(self, digest: str, unusable: NonFiniteCounter) -> None:
        """Record the digest of the whole tensor, and any values that are unusable."""
        self.submission.digest = digest
        if unusable.found:
            self.submission.reject(
                FindingKind.NONFINITE,
                f"{unusable} in {self.layer}",
                self.layer,
                **unusable.facts,
            )


class LazyTensor:
    """The values of a tensor that stay in their file; see `TensorValues`.

    They are hashed and checked as they are read in order for the first time.
    """

    def __init__(self, offered: _Offered) -> None:
        self._offered = offered
        assert in_one_piece(offered.tensor)
        self._extent, self._spec = offered.tensor, offered.tensor.spec
        self._sha256 = hashlib.sha256()
        self._unusable = NonFiniteCounter()
        self._settled = 0
        self._item = SIZES[self._spec.dtype]
        self.size = self._spec.values
        self.readers = offered.model.readers
        self.dtype = offered.dtype

    def __getitem__(self, which: slice | Indices) -> Array:
        """Return some of the values.

        Raises
        ------
        LeftOutError
            When they cannot be read, or cannot be scored.
        """
        if isinstance(which, slice):
            start, stop = which.start, min(which.stop, self.size)
            values: Array = np.empty(stop - start, self.dtype)
            self.write_to(start, stop, values)
            return values
        with self._readable() as reading:
            raw, done = memoryview(bytearray(len(which) * self._item)), 0
            for start, stop in runs(which):
                length = (stop - start) * self._item
                self._read(reading, start, raw[done : done + length])
                done += length
            return self._values(raw)

    def write_to(self, start: int, stop: int, out: Array) -> None:
        """Write the values from start to stop into an array; see `__getitem__`."""
        as_stored = _AS_STORED.get(self._spec.dtype) == out.dtype
        memory = None if as_stored else Scratch()
        with self._readable() as reading:
            piece = reading.file(self._extent.file).piece_bytes // self._item
            for first in range(start, stop, piece):
                part = out[first - start : min(first + piece, stop) - start]
                size = part.size * self._item
                raw = part.view(np.uint8).data if memory is None else memory.take(size)
                self._read(reading, first, raw)
                if memory is not None:
                    part[:] = self._values(raw)
                if first == self._settled:
                    self._settle(raw, part)

    @contextmanager
    def _readable(self) -> Iterator[Reading]:
        """Open the tensor for reading, and leave the participant out when that fails."""
        try:
            with enough_memory(), self._offered.model.reading() as reading:
                yield reading
        except RefusedFileError as error:
            self._offered.submission.reject(FindingKind.REFUSED, str(error))
            raise LeftOutError from error

    def read_to_the_end(self) -> None:
        """Hash and check the rest."""
        while self._settled < self.size and self._offered.submission.finding is None:
            with suppress(LeftOutError):
                self[self._settled : self._settled + _BLOCK]

    def _settle(self, raw: memoryview, values: Array) -> None:
        """Hash and check the next values.

        Raises
        ------
        LeftOutError
            When some values cannot be scored.
        """
        self._settled += values.size
        self._sha256.update(raw)
        self._unusable.count(values)
        if self._settled == self.size:
            self._offered.settle(self._sha256.hexdigest(), self._unusable)
        if self._unusable.found:
            raise LeftOutError

    def _read(self, reading: Reading, start: int, buffer: memoryview) -> None:
        reading.file(self._extent.file).read_into(buffer, self._extent.offset + start * self._item)

    def _values(self, raw: memoryview) -> Array:
        return to_array(self._spec, raw).astype(self.dtype, copy=False)


def read_start(
    model: Submission, layer: Layer, memory: int
) -> tuple[TensorValues | None, Submission]:
    """Read one layer of the global model, and check it like those of participants.

    Parameters
    ----------
    model : Submission
        The global model, which is not changed.
    layer : Layer
        The layer to read, in the form that most participants have.
    memory : int
        The number of bytes that the values may take. Values that do not fit are read from the
        file each time, and checked when they are first read in order.

    Returns
    -------
    TensorValues, optional
        The values of θ^t; None when they are unusable.
    Submission
        The global model with the hash of this layer, or with the finding against it.
    """
    own = replace(model)
    offered = _Offered.of(own, layer)
    if offered is None:
        return None, own
    tensor = offered.tensor
    if tensor.spec.values * offered.dtype.itemsize > memory and in_one_piece(tensor):
        return LazyTensor(offered), own
    return offered.read(offered.buffer()), own


def _stay_in_files(taken: Sequence[_Offered], layer: Layer, memory: int) -> bool:
    """Return whether the values are read from their files each time, since memory is too small.

    Those of adapters never are: their factors are thin, and their change is never formed.

    Raises
    ------
    InputError
        When a participant has packed values that do not fit.
    """
    whole = [one for one in taken if one.factors is None]
    size = len(whole) * layer.spec.values * _common_type(whole).itemsize
    size += sum(one.factors.held_bytes for one in taken if one.factors is not None)
    packed = [one for one in whole if not in_one_piece(one.tensor)]
    if size <= (memory if packed or _readers(taken) else min(memory, _MOST_HELD)):
        return False
    if packed:
        how = "stores it packed; convert the round with ariba convert"
        if isinstance(packed[0].tensor, Permuted):
            how = "stores it channels-last, so it is held as a whole; allow more memory"
        raise InputError(
            f"{layer.name} of all updates takes {size:,} bytes, more than --max-memory, and "
            f"{packed[0].submission.member.id} {how}"
        )
    return True


def _readers(taken: Sequence[_Offered]) -> int | None:
    """Return the number of threads that best read; None for one per core, on a disk."""
    return taken[0].model.readers if taken else None


def _common_type(taken: Sequence[_Offered]) -> "np.dtype[np.floating]":
    return np.result_type(np.float32, *{one.dtype for one in taken})
