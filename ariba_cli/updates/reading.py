"""The values of one layer: in memory where they are few, else in their files until needed."""

import hashlib
from collections.abc import Sequence
from contextlib import closing
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
    Scratch,
    Tensor,
    Values,
    in_one_piece,
)
from ariba_cli.rounds.layers import Layer
from ariba_cli.updates.elsewhere import OnWorkers, Workers
from ariba_cli.updates.factors import leave_out_large
from ariba_cli.updates.fragments import FragmentLayout, Fragments, TensorValues
from ariba_cli.updates.intake import Submission, why_not_offered
from ariba_cli.updates.lazy import LazyTensor, settle
from ariba_cli.updates.nonfinite import NonFiniteCounter
from ariba_cli.updates.stored import AS_STORED, StoredTensor

Array = npt.NDArray[np.floating]

# So few values of all participants are sooner read than threads are started.
_FEW = 2**21
# What is held of a layer, though there were room for more: beyond it, memory that the system
# has to clear first takes longer than reading the files once more.
_MOST_HELD = 2**25
# Tensors so small are held if there is room at all: it takes longer to open their files for each
# chunk than to clear memory.
_OPENED_ONCE_BYTES = 2**18
# What is read at a time of a layer that is not held in memory, in bytes. Of each participant it
# is enough to take longer to read than to open, unless there are hundreds.
_CHUNK_BYTES = 2**25
_OWN_CHUNK_BYTES = 2**18
_MOST_CHUNK_BYTES = 2**27
_LEAST_CHUNK_BYTES = 2**16


@dataclass(frozen=True)
class LayerValues:
    """The values of one layer that are scored.

    Attributes
    ----------
    submissions : sequence of Submission
        The participants that are scored, in id order.
    tensors : sequence of TensorValues, or array
        Their values; see `Fragments`.
    elsewhere : OnWorkers, optional
        The workers who read the values and work on them; None where this process does.
    """

    submissions: Sequence[Submission]
    tensors: Sequence[TensorValues] | Array
    elsewhere: OnWorkers | None = None

    def without_left_out(self) -> "LayerValues":
        """Return the values of participants that have not been left out since."""
        kept = [index for index, one in enumerate(self.submissions) if one.finding is None]
        if len(kept) == len(self.submissions):
            return self
        submissions = [self.submissions[index] for index in kept]
        if not isinstance(self.tensors, np.ndarray):
            tensors = [self.tensors[index] for index in kept]
            elsewhere = None if self.elsewhere is None else self.elsewhere.keeping(kept)
            return LayerValues(submissions, tensors, elsewhere)
        for row, index in enumerate(kept):
            if row < index:
                self.tensors[row] = self.tensors[index]
        return LayerValues(submissions, self.tensors[: len(kept)])

    def cut(self, layout: FragmentLayout, reference: int, memory: int) -> Fragments:
        """Return the values as fragments.

        Parameters
        ----------
        layout : FragmentLayout
            The division of the layer into fragments.
        reference : int
            The index of the participant whose values are subtracted from all others.
        memory : int
            The number of bytes that the work on a chunk may take.
        """
        # A quarter of the memory: one chunk is read while another is scored, in wider numbers.
        chunk = max(_CHUNK_BYTES, _OWN_CHUNK_BYTES * len(self.tensors))
        if self.elsewhere is None:
            chunk = min(chunk, _MOST_CHUNK_BYTES)
        chunk = max(min(chunk, memory // 4), _LEAST_CHUNK_BYTES)
        return Fragments(
            self.tensors, layout, reference, chunk_bytes=chunk, elsewhere=self.elsewhere
        )

    def read_to_the_end(self, progress: Progress) -> None:
        """Hash and check the values that were not needed yet, and leave out who is unusable."""
        in_files = [one for one in self.tensors if isinstance(one, LazyTensor)]
        readers = in_files[0].readers if in_files else None
        read = thread_map(LazyTensor.read_to_the_end, in_files, workers=readers)
        for done, _ in enumerate(read, 1):
            progress("checking the rest", done, len(in_files))


def read_layer(
    submissions: Sequence[Submission],
    layer: Layer,
    memory: int,
    progress: Progress,
    workers: Workers | None = None,
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
        A callback that receives the number of participants that have been read.
    workers : Workers, optional
        Others who read what stays in its files: more than a little does. They hash and check it
        at once.

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
    stay = _stay_in_files(taken, layer, memory, spread=workers is not None)
    if not stay and len(whole) == len(taken):
        rows = aligned(len(taken), layer.spec.values, _common_type(taken))
        _read(taken, rows, layer, progress)
        return LayerValues([one.submission for one in taken], rows).without_left_out()
    read = [one for one in taken if one.factors or not stay]
    values = iter(_read(read, [one.buffer() for one in read], layer, progress))
    tensors = [next(values) if one.factors or not stay else one.lazy for one in taken]
    found = LayerValues(
        [one.submission for one in taken if one.submission.finding is None],
        [tensor for tensor in tensors if tensor is not None],
    )
    lazy = [one for one in tensors if isinstance(one, LazyTensor)]
    if workers is None or not lazy or len(lazy) < len(tensors):
        return found
    elsewhere = OnWorkers(workers, lazy, f"{layer.name} on the cluster", progress)
    elsewhere.check()
    return replace(found, elsewhere=elsewhere).without_left_out()


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
        with closing(thread_map(_Offered.read, taken, buffers, workers=workers)) as read:
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
        settle(self.submission, self.layer, digest, unusable)
        return values if self.submission.finding is None else None

    def _change(self) -> tuple[Values, str]:
        raw = self.model.read(self.name)
        return self.tensor.values(raw), hashlib.sha256(raw).hexdigest()

    def _array(self, buffer: Array, unusable: NonFiniteCounter) -> tuple[Array, str]:
        """Return the values, which are counted while they are in the processor's cache."""
        sha256, position = hashlib.sha256(), 0
        as_stored = AS_STORED.get(self.tensor.spec.dtype) == buffer.dtype
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

    @property
    def lazy(self) -> LazyTensor:
        """Return its values, which stay in its file."""
        tensor = self.tensor
        assert in_one_piece(tensor)
        file, limits = self.model.files[tensor.file], self.model.terms.limits
        stored = StoredTensor.of(file, limits, tensor, self.dtype)
        return LazyTensor(stored, self.submission, self.layer)


def read_start(
    model: Submission, layer: Layer, memory: int, *, spread: bool = False
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
    spread : bool
        True if others read the values from their file. They are checked here before.

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
    if spread and in_one_piece(tensor):
        lazy = offered.lazy
        lazy.read_to_the_end()
        return (lazy.stored.elsewhere() if own.finding is None else None), own
    if tensor.spec.values * offered.dtype.itemsize > memory and in_one_piece(tensor):
        return offered.lazy, own
    return offered.read(offered.buffer()), own


def _stay_in_files(taken: Sequence[_Offered], layer: Layer, memory: int, *, spread: bool) -> bool:
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
    small = layer.spec.values * _common_type(whole).itemsize <= _OPENED_ONCE_BYTES
    held = packed or ((small or _readers(taken)) and not spread)
    if size <= (memory if held else min(memory, _MOST_HELD)):
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
