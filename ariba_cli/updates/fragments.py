"""One layer of every update, cut into fragments (arXiv 2202.04311, Sec. 4.2)."""

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ariba_cli.base.aligned import aligned
from ariba_cli.base.errors import UsageError
from ariba_cli.base.parallel import map_workers
from ariba_cli.updates.chunks import Chunk, Elsewhere, Result, Task, centred

Indices = npt.NDArray[np.integer]

# The covariance of fragments of d values has d² entries, so wider ones are refused.
WIDEST_FRAGMENT = 2500
WIDE_FRAGMENT = "block:64"

# Values of each participant that chance comes from.
_STARTING_VALUES = 64


class UnfitLayerError(UsageError):
    """A fragment that does not fit the shape of a layer."""


class TooWideError(UnfitLayerError):
    """A fragment with more values than ariba can compare."""


@dataclass(frozen=True)
class FragmentLayout:
    """The division of a layer's values, in storage order, into fragments.

    Attributes
    ----------
    fragments : int
        The number of fragments per participant, m.
    dimension : int
        The number of values per fragment, d.
    left_out : int
        The number of values at the end of the layer that do not fill a fragment.
    """

    fragments: int
    dimension: int
    left_out: int = 0


def is_convolution(shape: Sequence[int]) -> bool:
    """Return whether a shape has a kernel; a 1×1 convolution counts as a weight matrix."""
    return len(shape) >= 3 and math.prod(shape[2:]) > 1


def default_fragment(shape: Sequence[int]) -> str:
    """Return the kind of fragment that a layer is cut into by default.

    It is `kernel` for a convolution and `row` for every other weight matrix. Where these are
    too wide, it is blocks of 64 values.
    """
    kind, width = ("kernel", shape[2:]) if is_convolution(shape) else ("row", shape[1:])
    return kind if math.prod(width) <= WIDEST_FRAGMENT else WIDE_FRAGMENT


def layout_of(layer: str, shape: Sequence[int], fragment: str) -> FragmentLayout:
    """Return the division of a layer of this shape into fragments.

    Parameters
    ----------
    layer : str
        The layer's name, for error messages.
    shape : sequence of int
        The layer's shape, for instance (out, in, kh, kw).
    fragment : str
        `kernel` (m = out·in, d = kh·kw), `filter` (m = out, d = in·kh·kw),
        `row` (m = out, d = in) or `block:D` (d = D, whatever the shape).

    Raises
    ------
    UsageError
        When there is no such fragment.
    UnfitLayerError
        When it does not fit the shape; a `TooWideError` when it is too wide.
    """
    cut = _cut(layer, shape, fragment)
    if cut.fragments == 0 or cut.dimension == 0:
        raise UnfitLayerError(
            f"layer '{layer}' of shape {_times(shape)} does not hold one whole {fragment} fragment"
        )
    if cut.dimension > WIDEST_FRAGMENT:
        raise TooWideError(
            f"a {fragment} of layer '{layer}' has {cut.dimension:,} values, and a fragment can "
            f"have at most {WIDEST_FRAGMENT:,}; try --fragment block:64"
        )
    return cut


def _cut(layer: str, shape: Sequence[int], fragment: str) -> FragmentLayout:
    size = math.prod(shape)
    if fragment.startswith("block:"):
        dimension = _block_size(fragment)
        return FragmentLayout(size // dimension, dimension, size % dimension)
    if fragment not in ("kernel", "filter", "row"):
        raise UsageError(
            f"unknown fragment '{fragment}'; use kernel, filter, row or block:D, such as block:64"
        )
    if fragment in ("kernel", "filter") and is_convolution(shape):
        taken = 2 if fragment == "kernel" else 1
        return FragmentLayout(math.prod(shape[:taken]), math.prod(shape[taken:]))
    if fragment == "row" and len(shape) >= 2 and not is_convolution(shape):
        return FragmentLayout(shape[0], math.prod(shape[1:]))
    fitting = "kernel, filter or block:D" if is_convolution(shape) else "row or block:D"
    if len(shape) < 2:
        fitting = "block:D"
    raise UnfitLayerError(
        f"layer '{layer}' of shape {_times(shape)} has no {fragment} fragments; "
        f"use --fragment {fitting}"
    )


def _block_size(fragment: str) -> int:
    size = re.fullmatch(r"block:([1-9][0-9]{0,8})", fragment)
    if size is None:
        raise UsageError(f"'{fragment}' lacks a block size; write block:64 for 64 values")
    return int(size[1])


def _times(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "()"


class TensorValues(Protocol):
    """The values of one tensor in storage order: an array, or a reader of them."""

    @property
    def size(self) -> int:
        """Return the number of values."""
        ...

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """Return the type of the values."""
        ...

    def __getitem__(self, which: slice | Indices, /) -> npt.NDArray[np.floating]:
        """Return some of the values, in the order asked for."""
        ...


@runtime_checkable
class Written(Protocol):
    """Values that can be written directly to their destination.

    Attributes
    ----------
    readers : int, optional
        The number of threads that best do that; None for one per core.
    """

    readers: int | None

    def write_to(self, start: int, stop: int, out: npt.NDArray[np.floating], /) -> None:
        """Write the values from start to stop into an array."""
        ...


class Fragments:
    """The fragments of n participants, which are centred on demand.

    Parameters
    ----------
    tensors : sequence of TensorValues, or array of shape (n, values)
        The values of each participant, in id order, equally many and of any float type; one
        array where memory holds them all.
    cut : FragmentLayout
        The division of the layer into fragments.
    reference : int
        The index of the participant whose values are subtracted from all others. They cancel
        except for rounding, so a participant like most others is best.
    chunk_bytes : int
        The number of bytes to read at a time of values that are not in memory.
    elsewhere : Elsewhere, optional
        The others who read the values and work on them; None where this process does.
    """

    def __init__(
        self,
        tensors: Sequence[TensorValues] | npt.NDArray[np.floating],
        cut: FragmentLayout,
        reference: int = 0,
        *,
        chunk_bytes: int = 2**27,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._flat = tensors
        self.cut = cut
        self.reference = reference
        self.chunk_bytes = chunk_bytes
        self.elsewhere = elsewhere
        types = {flat.dtype for flat in tensors}
        self.dtype: np.dtype[np.floating] = np.result_type(np.float32, *types)

    def with_reference(self, reference: int) -> "Fragments":
        """Return the same fragments with another reference."""
        return Fragments(
            self._flat,
            self.cut,
            reference,
            chunk_bytes=self.chunk_bytes,
            elsewhere=self.elsewhere,
        )

    @property
    def participants(self) -> int:
        """Return the number of participants, n."""
        return len(self._flat)

    @property
    def values(self) -> int:
        """Return the number of values of each tensor, including those that fill no fragment."""
        return self._flat[0].size

    @property
    def total(self) -> int:
        """Return the number of all fragments together, n·m."""
        return self.participants * self.cut.fragments

    @property
    def in_memory(self) -> bool:
        """Return whether all values lie in one array."""
        return isinstance(self._flat, np.ndarray)

    def map(self, task: Task[Result], *, multiple: int = 1) -> Iterator[Result]:
        """Yield the result of a task for each chunk, in their order; see `chunks`."""
        if self.elsewhere is not None:
            m, run = self.cut.fragments, self._run(multiple)
            runs = [(start, min(start + run, m)) for start in range(0, m, run)]
            yield from self.elsewhere.map(task, runs, self.cut.dimension, self.reference)
            return
        for first, values in self.chunks(multiple=multiple):
            yield task(Chunk(values, first, self.cut.dimension, self.reference))

    def chunks(self, *, multiple: int = 1) -> Iterator[tuple[int, npt.NDArray[np.floating]]]:
        """Yield all fragments in runs, each as its first index and its values; see `load`.

        Values in memory make up a single run. Otherwise the next run is read while this one is
        used, and its memory is reused.

        Parameters
        ----------
        multiple : int, optional
            A number that divides the number of fragments of each run except the last.
        """
        m, size = self.cut.fragments, self.participants * self.cut.dimension
        run = self._run(multiple)
        starts = range(0, m, run)
        if len(starts) == 1:
            yield 0, self.load(0, m)
            return
        buffers = [aligned(1, run * size, self.dtype)[0] for _ in range(2)]
        with ThreadPoolExecutor(1) as reader:

            def read(number: int) -> "Future[npt.NDArray[np.floating]]":
                start = starts[number]
                return reader.submit(self.load, start, min(start + run, m), buffers[number % 2])

            coming = read(0)
            for number, start in enumerate(starts):
                values = coming.result()
                if number + 1 < len(starts):
                    coming = read(number + 1)
                yield start, values

    def _run(self, multiple: int = 1) -> int:
        """Return the number of fragments of a chunk."""
        m, size = self.cut.fragments, self.participants * self.cut.dimension
        if self.in_memory:
            return m
        most = self.chunk_bytes // (size * self.dtype.itemsize)
        return min(m, max(multiple, most // multiple * multiple))

    def load(
        self, start: int, stop: int, buffer: npt.NDArray[np.floating] | None = None
    ) -> npt.NDArray[np.floating]:
        """Return fragments start to stop of every participant, as they were sent.

        Parameters
        ----------
        start, stop : int
            The first fragment, and the one after the last.
        buffer : float array, optional
            Memory for at least as many values as are asked for, into which several threads read
            values that are not in memory.

        Returns
        -------
        float array of shape (n, (stop − start)·d)
            The values, of type `dtype`; a view where they are in memory.
        """
        values = slice(start * self.cut.dimension, stop * self.cut.dimension)
        if isinstance(self._flat, np.ndarray):
            return self._flat[:, values].astype(self.dtype, copy=False)
        return self._stacked(values, (stop - start) * self.cut.dimension, buffer)

    def centred(self, start: int, stop: int) -> npt.NDArray[np.float64]:
        """Return fragments start to stop of every δ̂_i = θ_i − mean_i θ_i (Eqs. 5 and 6).

        The array is of shape (n, stop − start, d), in float64; see `centre`.
        """
        return centred(self.load(start, stop), self.reference, self.cut.dimension)

    def values_at(self, positions: Indices) -> npt.NDArray[np.floating]:
        """Return the values of every tensor at some positions, of shape (n, len(positions))."""
        return self._stacked(positions, len(positions), None)

    def entropy(self) -> bytes:
        """Return 32 bytes that depend on the first values of all participants.

        No participant can foresee random numbers that are drawn from them.
        """
        start = self.values_at(np.arange(min(_STARTING_VALUES, self.values)))
        return hashlib.sha256(start.astype(np.float64).tobytes()).digest()

    def centred_at(self, indices: Indices) -> npt.NDArray[np.float64]:
        """Return the fragments of every δ̂_i at some indices, of shape (n, len(indices), d)."""
        d = self.cut.dimension
        positions = (indices[:, None] * d + np.arange(d)).reshape(-1)
        return centred(self.values_at(positions), self.reference, d)

    def _stacked(
        self,
        which: slice | Indices,
        width: int,
        buffer: npt.NDArray[np.floating] | None,
    ) -> npt.NDArray[np.floating]:
        size = self.participants * width
        stacked = np.empty(size, self.dtype) if buffer is None else buffer[:size]
        rows = stacked.reshape(-1, width)

        def fill(participants: Iterator[int]) -> None:
            for participant in participants:
                values = self._flat[participant]
                if isinstance(which, slice) and isinstance(values, Written):
                    values.write_to(which.start, which.stop, rows[participant])
                else:
                    rows[participant] = values[which]

        # An array is sooner copied than threads are started.
        first = self._flat[0]
        workers = first.readers if isinstance(first, Written) else None
        workers = 1 if isinstance(first, np.ndarray) else workers
        map_workers(fill, range(self.participants), workers)
        return rows
