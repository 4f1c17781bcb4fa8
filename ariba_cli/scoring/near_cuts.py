"""The fragments near a cut, found without sorting all of them.

The squared distances are gone over twice. The first pass counts them in bins, so narrow that
few fragments share one with a cut. The second pass takes those few out, and counts for each
participant how many of the others lie between the cuts.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.base.parallel import map_workers
from ariba_cli.native.bins import BINS, Bins
from ariba_cli.scoring.marks import Counts
from ariba_cli.scoring.processor import Processor, Values
from ariba_cli.scoring.whitening import Whitening
from ariba_cli.updates.fragments import Fragments

Float64 = npt.NDArray[np.float64]

# What squared distances may take to be held until they are gone over again.
_HELD_BYTES = 2**28
# How many of them are binned at a time.
_BLOCK = 2**18
# How many may be put in order, if it is not a small share of all: each takes 100 bytes.
_FEW = 2**20
_SMALL_SHARE = 1 / 16


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
        self._factored = factored
        self._processor = processor
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

    def pieces(self) -> Iterator[tuple[int, Float64]]:
        """Yield all of them in pieces of shape (n, run), with the number of the first fragment."""
        if self._held is None and self.participants * self.fragments * 8 <= _HELD_BYTES:
            self._held = self._all()
        if self._held is not None:
            yield 0, self._held
            return
        buffer = np.empty(0)
        for start, values in self._fragments.chunks():
            shape = len(values), values.shape[1] // self._fragments.cut.dimension
            if buffer.size < shape[0] * shape[1]:
                buffer = np.empty(shape[0] * shape[1])
            piece = buffer[: shape[0] * shape[1]].reshape(shape)
            self._find(values, piece)
            yield start, piece

    def _all(self) -> Float64:
        found = np.empty((self.participants, self.fragments))
        for start, values in self._fragments.chunks():
            run = values.shape[1] // self._fragments.cut.dimension
            self._find(values, found[:, start : start + run])
        return found

    def _find(self, values: Values, out: Float64) -> None:
        matrix, reference = self._factored.matrix, self._fragments.reference
        largest = self._processor.squared(values, reference, matrix, out)
        self.largest = max(self.largest, largest)


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
    total = _in_bins(distances)
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
    counts, taken = _taken(distances, parts)
    part, which, squared = (np.concatenate(column) for column in zip(*taken, strict=True))
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


def _in_bins(distances: Distances) -> Counts:
    """Return the number of fragments in each bin."""

    def count(blocks: Iterator[Float64]) -> Counts:
        found = np.zeros(BINS, dtype=np.int64)
        for block in blocks:
            distances.bins.count(block, found)
        return found

    total = np.zeros(BINS, dtype=np.int64)
    for _, piece in distances.pieces():
        flat = piece.reshape(-1)
        blocks = [flat[start : start + _BLOCK] for start in range(0, flat.size, _BLOCK)]
        total += np.sum(map_workers(count, blocks), axis=0)
    return total


def _taken(
    distances: Distances, parts: npt.NDArray[np.int32]
) -> tuple[Counts, list[tuple[Counts, Counts, Float64]]]:
    """Count everybody's fragments by part, and take those out that are in odd ones.

    Returns
    -------
    counts : int64 array of shape (n, parts)
        The number of fragments of each participant in each part.
    taken : list of tuple
        The parts, the fragments, and the squared distances of those taken out, in several pieces.
    """
    n, m, width = distances.participants, distances.fragments, int(parts[-1]) + 1
    counts = np.zeros((n, width), dtype=np.int64)
    taken: list[tuple[Counts, Counts, Float64]] = []
    for start, piece in distances.pieces():

        def work(
            participants: Iterator[int], start: int = start, piece: Float64 = piece
        ) -> list[tuple[Counts, Counts, Float64]]:
            found: list[tuple[Counts, Counts, Float64]] = []
            for participant in participants:
                own = piece[participant]
                index = distances.bins.take(own, parts, counts[participant])
                squared = own[index]
                part = parts[distances.bins.of(squared)]
                found.append((part, participant * m + index + start, squared))
            return found

        for found in map_workers(work, range(n)):
            taken += found
    return counts, taken
