"""Which fragments are the most distant, without keeping the distances of all.

All distances are first found roughly, with a bound on the error. What is certainly beyond
every cut is counted, what is certainly beyond none is dropped, and the rest is put in
order; for the few that are in doubt at a cut the distance is found again, exactly as
`Whitening.distances` gives it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.fragments import Fragments
from ariba_cli.scoring.marks import (
    Counts,
    End,
    counts_by_cut,
    ends,
    last_k_est,
    marks_by_k_est,
)
from ariba_cli.scoring.processor import Band, Place, Processor, Sorted, Values, join_sorted
from ariba_cli.scoring.sweep import sweep
from ariba_cli.scoring.whitening import EPS, Whitening

Float64 = npt.NDArray[np.float64]

# How many distances are looked at to guess where the cut is, and how many standard errors
# of such a guess are sorted closely: fragments are not independent of each other.
_SAMPLED = 2**16
_STANDARD_ERRORS = 8
# A rough distance that is off by more is of no use.
_ROUGHEST = 0.01
# Standard deviations that float32 can square.
_LEAST_FLOAT32, _MOST_FLOAT32 = 2.0**-40, 2.0**40
# Values that are read to find some distances exactly, at a time.
_CLOSE_VALUES = 2**20
_EVERYTHING = Band(0.0, math.inf)


@dataclass(frozen=True)
class Selected:
    """How many fragments are marked, and where the marks end, for every k̃ up to `last_k_est`.

    Attributes
    ----------
    by_k_est : how many of each participant, of shape (that many, n).
    ends : between which two distances the marks end.
    largest : about the largest of all distances.
    """

    by_k_est: Counts
    ends: tuple[End, ...]
    largest: float


@dataclass(frozen=True)
class _Rough:
    """Distances ‖W·x‖ reckoned in the type of W.

    A distance e stands for one of d, with |e − d| ≤ relative·d + absolute·largest, where
    `largest` is the largest of all distances.
    """

    matrix: Values
    relative: float
    absolute: float

    @classmethod
    def of(cls, factored: Whitening, dtype: type[np.floating], participants: int) -> "_Rough":
        """Bound the error; u is half the distance of 1 to the next number of the type.

        Scaled by the standard deviations, the coordinates of a fragment are at most its
        distance, and all together at most √d times it; the rows of W have a Frobenius norm of √τ
        (`Whitening.sensitivity`). A product of d terms is off by (d + 3)·u of the sum of their
        magnitudes, its inputs' own roundings included; the inverse in W, and the exact
        distance itself, by terms of d²·τ in float64. Of the coordinates, what the
        differences, the tree of their sum, and the mean are off by is
        at most 2·u·(log₂ n + 4) of the largest.
        """
        d, tau, unit = len(factored.variances), factored.sensitivity, np.finfo(dtype).eps / 2
        relative = unit * ((d + 3) * math.sqrt(tau * d) + d) + 2 * EPS * (d + 1) * d * tau
        levels = math.ceil(math.log2(participants)) + 4
        absolute = 0.0
        if dtype is not np.float64:
            # In float64 they are the same numbers.
            absolute = 2 * float(unit) * levels * math.sqrt(tau * d)
        return cls(factored.matrix.astype(dtype), float(relative), absolute)

    def zones(self, last: Float64, following: Float64, largest: float) -> tuple[Float64, Float64]:
        """Between which rough distances the exact order is in doubt, for each of several cuts.

        `last` and `following` are the rough distances between which the cuts would be.
        """
        slack = self.absolute * 1.1 * largest
        low, high = 1 - self.relative, 1 + self.relative
        return (following - slack) * low / high - slack, (last + slack) * high / low + slack


def most_distant(
    fragments: Fragments, factored: Whitening, k_est: int, processor: Processor
) -> Selected:
    """Mark k·m fragments of largest distance for every k up to `last_k_est` of k̃.

    Ties are broken by participant, then by fragment.
    """
    rough = _roughly(factored, fragments.participants)
    if rough is None:
        return _all_exactly(fragments, factored, k_est)
    cuts = fragments.cut.fragments * np.arange(1, last_k_est(k_est, fragments.participants) + 1)
    for band in (_guess(fragments, factored, cuts), _EVERYTHING):
        found = _sorted(fragments, rough, band, processor)
        selected = _told_apart(fragments, factored, cuts, rough, band, found)
        if selected is not None:
            return selected
    raise AssertionError("everything is in the band of everything")


def _roughly(factored: Whitening, participants: int) -> _Rough | None:
    """The narrowest type in which rough distances are of use; None when there is none."""
    deviations = np.ldexp(np.sqrt(factored.variances), factored.exponent)
    deviations = deviations[factored.pivots]
    types: list[type[np.floating]] = [np.float64]
    if deviations.min() > _LEAST_FLOAT32 and deviations.max() < _MOST_FLOAT32:
        types.insert(0, np.float32)
    for dtype in types:
        rough = _Rough.of(factored, dtype, participants)
        if rough.relative < _ROUGHEST and rough.absolute < _ROUGHEST:
            return rough
    return None


def _guess(fragments: Fragments, factored: Whitening, cuts: Counts) -> Band:
    """A band that holds all cuts, very likely, from the distances of a sample."""
    m = fragments.cut.fragments
    sampled = math.ceil(_SAMPLED / fragments.participants)
    if 4 * sampled > m:
        return _EVERYTHING
    # Whoever knew the sample could only make the work take longer.
    indices = np.unique(np.random.default_rng(0).integers(m, size=sampled))
    squared = np.sort(_exact(fragments, factored, indices).reshape(-1)) ** 2
    shares = 1 - cuts[[-1, 0]] / fragments.total
    errors = _STANDARD_ERRORS * np.sqrt(shares * (1 - shares) / len(squared))
    places = (shares + errors * (-1, 1)) * len(squared)
    low, high = np.clip(places.astype(int), 0, len(squared) - 1)
    return Band(float(squared[low]), float(squared[high]))


def _sorted(fragments: Fragments, rough: _Rough, band: Band, processor: Processor) -> Sorted:
    m, reference = fragments.cut.fragments, fragments.reference
    return join_sorted(
        [
            processor.sort(values, reference, rough.matrix, band, Place(start, m))
            for start, values in fragments.chunks()
        ]
    )


def _told_apart(
    fragments: Fragments,
    factored: Whitening,
    cuts: Counts,
    rough: _Rough,
    band: Band,
    found: Sorted,
) -> Selected | None:
    """Put what is in the band in order, as far as it matters at a cut.

    None when the zones of doubt are not all in the band.
    """
    cuts = cuts - int(found.above.sum())
    if not 0 < cuts[0] <= cuts[-1] < len(found.inside):
        return None
    order = np.argsort(found.squared)[::-1]
    which = found.inside[order]
    distances = np.sqrt(found.squared[order].astype(np.float64))
    largest = math.sqrt(found.largest)
    low, high = rough.zones(distances[cuts - 1], distances[cuts], largest)
    if not (_at_least(low[-1], band.low) and high[0] < math.sqrt(band.high)):
        return None
    zones = _runs_in_doubt(distances, low, high)
    places = np.flatnonzero(zones)
    exact = _exact_of(fragments, factored, which[places])
    settled = np.lexsort((which[places], -exact, zones[places]))
    which[places], exact = which[places][settled], exact[settled]
    counts = counts_by_cut(found.above, which // fragments.cut.fragments, cuts)
    at = np.searchsorted(places, cuts)
    return Selected(counts, ends(exact[at - 1], exact[at]), largest)


def _runs_in_doubt(distances: Float64, low: Float64, high: Float64) -> Counts:
    """A number for every run of distances that are in doubt together, 0 for what is in none.

    Parameters
    ----------
    distances : in descending order.
    low, high : between what the doubt is at each cut, both in descending order.
    """
    starts = np.searchsorted(-distances, -high, side="left")
    stops = np.searchsorted(-distances, -low, side="right")
    # A zone that begins before the one before it ends is the same run.
    runs = np.cumsum(np.concatenate([[True], starts[1:] >= stops[:-1]]))
    zones = np.zeros(len(distances), dtype=np.int64)
    for run, start, stop in zip(runs, starts, stops, strict=True):
        zones[start:stop] = run
    return zones


def _at_least(distance: float, squared: float) -> bool:
    return squared == 0 or distance > math.sqrt(squared)


def _exact_of(fragments: Fragments, factored: Whitening, which: npt.NDArray[np.int64]) -> Float64:
    """The exact distances of some fragments, each i·m + j."""
    participants, indices = np.divmod(which, fragments.cut.fragments)
    distances = np.empty(len(which))
    together, inverse = np.unique(indices, return_inverse=True)
    step = max(1, _CLOSE_VALUES // (fragments.participants * fragments.cut.dimension))
    for start in range(0, len(together), step):
        chosen = np.flatnonzero((inverse >= start) & (inverse < start + step))
        rows = fragments.centred_at(together[start : start + step])
        found = rows[participants[chosen], inverse[chosen] - start]
        distances[chosen] = factored.distances(found)
    return distances


def _exact(fragments: Fragments, factored: Whitening, indices: npt.NDArray[np.integer]) -> Float64:
    """The exact distances of the fragments of these indices, of shape (n, len(indices))."""
    rows = fragments.centred_at(indices)
    found = factored.distances(rows.reshape(-1, rows.shape[2]))
    return found.reshape(len(rows), -1)


def _all_exactly(fragments: Fragments, factored: Whitening, k_est: int) -> Selected:
    """Find every distance exactly and keep it: for covariances that are all but singular."""
    distances = exact_distances(fragments, factored)
    by_k_est, found = marks_by_k_est(distances, k_est)
    return Selected(by_k_est, found, float(distances.max()))


def exact_distances(fragments: Fragments, factored: Whitening) -> Float64:
    """The exact distance of every fragment, of shape (n, m)."""
    n, m, d = fragments.participants, fragments.cut.fragments, fragments.cut.dimension
    distances = np.empty((n, m))

    def find(blocks: Iterator[tuple[int, Float64]]) -> None:
        for first, block in blocks:
            found = factored.distances(block.reshape(-1, d)).reshape(n, -1)
            distances[:, first : first + found.shape[1]] = found

    sweep(fragments, find)
    return distances
