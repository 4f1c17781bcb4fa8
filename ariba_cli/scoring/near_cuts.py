"""The fragments near a cut, found without sorting all of them.

The squared distances are gone over twice. The first pass counts them in bins, so narrow that
few fragments share one with a cut. The second pass takes those few out, and counts for each
participant how many of the others lie between the cuts.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Generic

import numpy as np
import numpy.typing as npt

from ariba_cli.base.parallel import map_workers
from ariba_cli.native.bins import BINS, Bins
from ariba_cli.scoring.marks import Counts
from ariba_cli.scoring.processor import Processor
from ariba_cli.scoring.whitening import Whitening
from ariba_cli.updates.chunks import Chunk, Result, side_by_side
from ariba_cli.updates.fragments import Fragments

Float64 = npt.NDArray[np.float64]

# What squared distances may take to be held until they are gone over again.
_HELD_BYTES = 2**28
# How many of them are binned at a time.
_BLOCK = 2**18
# How many may be put in order, if it is not a small share of all: each takes 100 bytes.
_FEW = 2**20
_SMALL_SHARE = 1 / 16


@dataclass(frozen=True)
class SquaredDistances:
    """The task of finding the approximate squared distances of a chunk."""

    processor: Processor
    matrix: Float64

    def __call__(self, chunk: Chunk) -> tuple[float, Float64]:
        """Return the largest of them, and all of them, of shape (n, run)."""
        found = np.empty((len(chunk.values), chunk.fragments))
        largest = self.processor.squared(chunk.values, chunk.reference, self.matrix, found)
        return largest, found


@dataclass(frozen=True)
class OverDistances(Generic[Result]):
    """The task of doing something with the squared distances of a chunk."""

    find: SquaredDistances
    then: "Callable[[int, Float64], Result]"

    def __call__(self, chunk: Chunk) -> tuple[float, Result]:
        """Return the largest distance of the chunk, and what came of all of them."""
        largest, found = self.find(chunk)
        return largest, self.then(chunk.first, found)


class Distances:
    """The approximate squared distances of all fragments: see `selection`.

    Those that take little memory are held; others are found again each time.

    Attributes
    ----------
    bins : Bins
        The bins in which they are counted.
    largest : float
        The largest squared distance, once they were gone over.
    """

    def __init__(self, fragments: Fragments, factored: Whitening, processor: Processor) -> None:
        self._fragments = fragments
        self._find = SquaredDistances(processor, factored.matrix)
        self._held: Float64 | None = None
        self.largest = 0.0
        # Their mean is the rank of the covariance, so that less than one in n is beyond n times
        # that: no cut is, but for rounding.
        self.bins = Bins.up_to(2 * factored.rank * fragments.participants)

    @property
    def participants(self) -> int:
        """The number of participants, n."""
        return self._fragments.participants

    @property
    def fragments(self) -> int:
        """The number of fragments of each participant, m."""
        return self._fragments.cut.fragments

    def map(self, task: Callable[[int, Float64], Result]) -> Iterator[Result]:
        """Yield the results of a task for all of them, in pieces of shape (n, run).

        It is called with the number of the first fragment of a piece, and the piece.
        """
        if self._held is None and self.participants * self.fragments * 8 <= _HELD_BYTES:
            self._held = self._all()
        if self._held is not None:
            yield task(0, self._held)
            return
        for largest, result in self._fragments.map(OverDistances(self._find, task)):
            self.largest = max(self.largest, largest)
            yield result

    def _all(self) -> Float64:
        def pieces() -> Iterator[Float64]:
            for largest, piece in self._fragments.map(self._find):
                self.largest = max(self.largest, largest)
                yield piece

        return side_by_side(pieces(), self.participants, self.fragments)


@dataclass(frozen=True)
class Run:
    """The fragments that follow each other in the order of distances, and have cuts among them.

    Attributes
    ----------
    above : int64 array of shape (n,)
        The number of more distant fragments of each participant.
    cuts : slice
        The cuts that lie in this run.
    places : int64 array
        The number of fragments of the run before each of these cuts.
    which : int64 array
        The fragments, the most distant first: fragment j of participant i is i·m + j.
    squared : float64 array
        Their squared distances.
    """

    above: Counts
    cuts: slice
    places: Counts
    which: Counts
    squared: Float64


def near(distances: Distances, cuts: Counts) -> list[Run] | None:
    """Return the fragments around each cut, as far as rounding may have moved any across it.

    Parameters
    ----------
    distances : Distances
        The distances of all fragments.
    cuts : int64 array
        The number of most distant fragments before each cut, in ascending order.

    Returns
    -------
    list of Run, optional
        The runs; None where too many fragments are around the cuts to be sorted.
    """
    total = np.zeros(BINS, dtype=np.int64)
    for used, numbers in distances.map(InBins(distances.bins)):
        total[used] += numbers
    reached = np.cumsum(total[::-1])
    # The bin of the last fragment before each cut, and of the first after it.
    before, after = (
        BINS - 1 - np.searchsorted(reached, cuts + shift, side="right") for shift in (-1, 0)
    )
    inside = np.zeros(BINS + 2, dtype=bool)
    for low, high in zip(after, before, strict=True):
        # With the bins beside them; there is one more at both ends.
        inside[low : high + 3] = True
    inside = inside[1:-1]
    if total[inside].sum() > max(_FEW, _SMALL_SHARE * total.sum()):
        return None
    # Odd numbers are bins that are wanted, and even ones lie between them.
    parts = np.cumsum(np.diff(inside, prepend=False), dtype=np.int32)
    counts, part, which, squared = _together(
        distances.map(TakeNear(distances.bins, parts, distances.fragments))
    )
    order = np.argsort(squared)[::-1]
    part, which, squared = part[order], which[order], squared[order]
    beyond = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
    of_cuts = parts[after]
    runs = []
    for number in np.flatnonzero(np.bincount(of_cuts))[::-1].tolist():
        here = np.flatnonzero(of_cuts == number)
        members = slice(*np.searchsorted(-part, (-number, 1 - number)))
        above = beyond[:, number + 1] if number + 1 < beyond.shape[1] else 0 * beyond[:, 0]
        runs.append(
            Run(
                above=above,
                cuts=slice(int(here[0]), int(here[-1]) + 1),
                places=cuts[here] - above.sum(),
                which=which[members],
                squared=squared[members],
            )
        )
    return runs


@dataclass(frozen=True)
class InBins:
    """The task of counting squared distances by their bins."""

    bins: Bins

    def __call__(self, _: int, piece: Float64) -> tuple[Counts, Counts]:
        """Return the bins that have fragments in them, and their numbers."""

        def count(blocks: Iterator[Float64]) -> Counts:
            found = np.zeros(BINS, dtype=np.int64)
            for block in blocks:
                self.bins.count(block, found)
            return found

        flat = piece.reshape(-1)
        blocks = [flat[start : start + _BLOCK] for start in range(0, flat.size, _BLOCK)]
        found = np.sum(map_workers(count, blocks), axis=0)
        used = np.flatnonzero(found)
        return used, found[used]


@dataclass(frozen=True)
class Taken:
    """The fragments near the cuts, and the number of those between them.

    Attributes
    ----------
    counts : int64 array of shape (n, parts)
        The number of fragments of each participant in each part.
    part, which, squared : arrays
        The parts, the fragments, and the squared distances of those in odd parts.
    """

    counts: Counts
    part: Counts
    which: Counts
    squared: Float64


@dataclass(frozen=True)
class TakeNear:
    """The task of counting everybody's fragments by part, and taking out those in odd ones.

    Attributes
    ----------
    bins : Bins
        The bins.
    parts : int32 array of shape (BINS,)
        The part of each bin, in ascending order.
    fragments : int
        The number of fragments of each participant, m.
    """

    bins: Bins
    parts: npt.NDArray[np.int32]
    fragments: int

    def __call__(self, start: int, piece: Float64) -> Taken:
        """Return what was found; the first fragments of the piece have the number `start`."""
        counts = np.zeros((len(piece), int(self.parts[-1]) + 1), dtype=np.int64)

        def work(participants: Iterator[int]) -> list[tuple[Counts, Counts, Float64]]:
            found: list[tuple[Counts, Counts, Float64]] = []
            for participant in participants:
                own = piece[participant]
                index = self.bins.take(own, self.parts, counts[participant])
                squared = own[index]
                part = self.parts[self.bins.of(squared)]
                found.append((part, participant * self.fragments + index + start, squared))
            return found

        taken = [one for found in map_workers(work, range(len(piece))) for one in found]
        return Taken(counts, *(np.concatenate(column) for column in zip(*taken, strict=True)))


def _together(several: Iterable[Taken]) -> tuple[Counts, Counts, Counts, Float64]:
    """Return the counts of all pieces together, and what was taken out of them."""
    pieces = list(several)
    counts: Counts = reduce(np.add, (one.counts for one in pieces))
    part, which, squared = (
        np.concatenate([getattr(one, name) for one in pieces])
        for name in ("part", "which", "squared")
    )
    return counts, part, which, squared
