"""One layer of every update, cut into fragments (arXiv 2202.04311, Sec. 4.2)."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ariba_cli.errors import UsageError

# The covariance of fragments of d values has d² entries, so wider ones are refused.
WIDEST_FRAGMENT = 2500


class UnfitLayerError(UsageError):
    """A fragment that does not fit the shape of a layer."""


class TooWideError(UnfitLayerError):
    """A fragment that has more values than can be held against each other."""


@dataclass(frozen=True)
class Cut:
    """How the values of one layer, in storage order, fall into fragments.

    Attributes
    ----------
    fragments : m, the fragments per participant.
    dimension : d, the values per fragment.
    left_out : values at the end of the layer that do not fill a fragment.
    """

    fragments: int
    dimension: int
    left_out: int = 0


def is_convolution(shape: Sequence[int]) -> bool:
    """Whether there is a kernel to speak of: a 1×1 convolution is a weight matrix."""
    return len(shape) >= 3 and math.prod(shape[2:]) > 1


def default_fragment(shape: Sequence[int]) -> str:
    """`kernel` for a convolution, `row` for every other weight matrix."""
    return "kernel" if is_convolution(shape) else "row"


def cut_layer(layer: str, shape: Sequence[int], fragment: str) -> Cut:
    """How to cut a layer of this shape.

    Parameters
    ----------
    layer : the layer's name, for error messages.
    shape : its shape, for instance (out, in, kh, kw).
    fragment : `kernel` (m = out·in, d = kh·kw), `filter` (m = out, d = in·kh·kw),
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
            f"layer '{layer}' of shape {_times(shape)} holds no {fragment} fragment"
        )
    if cut.dimension > WIDEST_FRAGMENT:
        raise TooWideError(
            f"a {fragment} of layer '{layer}' has {cut.dimension:,} values, more than the "
            f"{WIDEST_FRAGMENT:,} of a covariance that can be held; try --fragment block:64"
        )
    return cut


def _cut(layer: str, shape: Sequence[int], fragment: str) -> Cut:
    size = math.prod(shape)
    if fragment.startswith("block:"):
        dimension = _block_size(fragment)
        return Cut(size // dimension, dimension, size % dimension)
    if fragment not in ("kernel", "filter", "row"):
        raise UsageError(
            f"there is no fragment '{fragment}'; use kernel, filter, row or block:D (as block:64)"
        )
    if fragment in ("kernel", "filter") and is_convolution(shape):
        taken = 2 if fragment == "kernel" else 1
        return Cut(math.prod(shape[:taken]), math.prod(shape[taken:]))
    if fragment == "row" and len(shape) >= 2 and not is_convolution(shape):
        return Cut(shape[0], math.prod(shape[1:]))
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
        raise UsageError(f"'{fragment}' names no block size; write block:64 for 64 values")
    return int(size[1])


def _times(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "()"


class Flat(Protocol):
    """The values of one tensor in storage order: an array, or what gives them when asked."""

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, which: slice, /) -> npt.NDArray[np.floating]:
        """Some of them, one after the other."""
        ...


class Fragments:
    """The fragments of n participants, widened to float64 and centred as they are asked for.

    Parameters
    ----------
    tensors : the values of each participant, in id order, as many and of any float type.
    cut : how that shape is cut.
    """

    def __init__(self, tensors: Sequence[Flat], cut: Cut) -> None:
        self._flat = tensors
        self.cut = cut

    @property
    def participants(self) -> int:
        """How many there are, n."""
        return len(self._flat)

    @property
    def total(self) -> int:
        """How many fragments they have together, n·m."""
        return self.participants * self.cut.fragments

    def centred(
        self, start: int, stop: int, buffer: npt.NDArray[np.float64] | None = None
    ) -> npt.NDArray[np.float64]:
        """Fragments start to stop of every δ̂_i = θ_i − mean_i θ_i (Eqs. 5 and 6).

        Returns an array of shape (n, stop − start, d), in float64; in the buffer, if one of
        at least that many values is given. The first participant's
        values are taken away before the mean is: where all participants are equal, what is
        left is zero and not the rounding of a mean. The sum goes from one participant to the
        next, since `sum` would choose its order by the block's shape.
        """
        values = slice(start * self.cut.dimension, stop * self.cut.dimension)
        first = self._flat[0][values].astype(np.float64)
        size = self.participants * len(first)
        block = (np.empty(size) if buffer is None else buffer[:size]).reshape(-1, len(first))
        mean = np.zeros_like(first)
        for row, flat in zip(block, self._flat, strict=True):
            row[:] = flat[values]
            row -= first
            mean += row
        mean /= self.participants
        block -= mean
        return block.reshape(self.participants, stop - start, self.cut.dimension)
