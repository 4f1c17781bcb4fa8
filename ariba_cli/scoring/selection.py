"""Which fragments are the most distant, at every cut that is of interest.

All distances are first found nearly, with a bound on the error. That settles most cuts: what
is certainly beyond one is counted. For the few fragments that are in doubt at a cut, and for
those at the cut whose distance is reported, it is found again, exactly as
`Whitening.distances` gives it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.fragments import Fragments
from ariba_cli.parallel import shared_out
from ariba_cli.scoring.marks import Counts, End, counts_by_cut, last_k_est, marks_by_k_est
from ariba_cli.scoring.processor import Processor
from ariba_cli.scoring.sweep import sweep
from ariba_cli.scoring.whitening import EPS, Whitening

Float64 = npt.NDArray[np.float64]

# A distance that is off by a larger share is of no use.
_ROUGHEST = 1e-6
# Values that are read to find some distances exactly, at a time.
_CLOSE_VALUES = 2**20


@dataclass(frozen=True)
class Selected:
    """How many fragments are marked, and where the marks end, for every k̃ up to `last_k_est`.

    Attributes
    ----------
    by_k_est : how many of each participant, of shape (that many, n).
    ends : between which two distances the marks end; exact for the k̃ that was asked for.
    roughness : by what share of themselves the other ends may be off.
    largest : about the largest of all distances.
    """

    by_k_est: Counts
    ends: tuple[End, ...]
    roughness: float
    largest: float


def most_distant(
    fragments: Fragments, factored: Whitening, k_est: int, processor: Processor
) -> Selected:
    """Mark k·m fragments of largest distance for every k up to `last_k_est` of k̃.

    Ties are broken by participant, then by fragment.
    """
    roughness = _roughness(factored)
    if roughness > _ROUGHEST:
        distances = exact_distances(fragments, factored)
        return Selected(*marks_by_k_est(distances, k_est), 0.0, float(distances.max()))
    n, m = fragments.participants, fragments.cut.fragments
    squared = np.empty((n, m))
    for start, values in fragments.chunks():
        run = squared[:, start : start + values.shape[1] // fragments.cut.dimension]
        processor.squared(values, fragments.reference, factored.matrix, run)
    ordered = np.sort(squared, axis=None)
    cuts = m * np.arange(1, last_k_est(k_est, n) + 1)
    last, following = ordered[ordered.size - cuts], ordered[ordered.size - cuts - 1]
    largest = math.sqrt(ordered[-1])
    del ordered
    looked_at = _Cuts(cuts, np.sqrt(last), np.sqrt(following), roughness)
    by_k_est = _counts(squared, last)
    ends = list(map(End, looked_at.last.tolist(), looked_at.following.tolist()))
    for zone in looked_at.zones(k_est - 1):
        counts, exact = _settled(fragments, factored, squared, cuts[zone.cuts], zone)
        by_k_est[zone.cuts], ends[zone.cuts] = counts, exact
    return Selected(by_k_est, tuple(ends), roughness, largest)


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


@dataclass(frozen=True)
class _Zone:
    """Between which squared distances the exact order is in doubt.

    Attributes
    ----------
    cuts : at which of the cuts, which follow each other.
    """

    low: float
    high: float
    cuts: slice


@dataclass(frozen=True)
class _Cuts:
    """Where fragments are cut by their distance e, which stands for one of d.

    Attributes
    ----------
    cuts : after how many of the most distant, in ascending order.
    last, following : the e between which each cut is.
    roughness : the largest |e − d| / d.
    """

    cuts: Counts
    last: Float64
    following: Float64
    roughness: float

    def zones(self, reported: int) -> list[_Zone]:
        """Where one has to look closely: at cuts that are not clear, and at one more.

        Zones that touch each other are one.
        """
        less, more = 1 - self.roughness, 1 + self.roughness
        clear = self.last * less > self.following * more
        clear[reported] = False
        # Squares and roots are off by a rounding each.
        low = np.square(self.following * less / more) * (1 - 4 * EPS)
        high = np.square(self.last * more / less) * (1 + 4 * EPS)
        zones: list[_Zone] = []
        for cut in np.flatnonzero(~clear).tolist():
            start, top = cut, float(high[cut])
            if zones and top >= zones[-1].low:
                before = zones.pop()
                start, top = before.cuts.start, before.high
            zones.append(_Zone(float(low[cut]), top, slice(start, cut + 1)))
        return zones


def _roughness(factored: Whitening) -> float:
    """By what share ‖W·x‖ in float64 may differ from the exact distance of x.

    Scaled by the standard deviations, the coordinates of a fragment are at most its distance,
    and all together at most √d times it; the rows of W have a Frobenius norm of √τ
    (`Whitening.sensitivity`). A product of d terms is off by (d + 3)·u of the sum of their
    magnitudes, its inputs' own roundings included, where u is half the distance of 1 to the next
    number; the inverse in W, and the exact distance itself, by terms of d²·τ.
    """
    d, tau, unit = len(factored.variances), factored.sensitivity, EPS / 2
    return float(unit * ((d + 3) * math.sqrt(tau * d) + d) + 2 * EPS * (d + 1) * d * tau)


def _counts(squared: Float64, thresholds: Float64) -> Counts:
    """How many of each participant's fragments reach each threshold: (thresholds, n).

    Parameters
    ----------
    squared : of shape (n, m).
    thresholds : in descending order.
    """
    counts = np.empty((len(thresholds), len(squared)), dtype=np.int32)

    def count(participants: Iterator[int]) -> None:
        for participant in participants:
            own = squared[participant]
            own = np.sort(own[own >= thresholds[-1]])
            counts[:, participant] = own.size - np.searchsorted(own, thresholds)

    shared_out(count, range(len(squared)))
    return counts


def _settled(
    fragments: Fragments, factored: Whitening, squared: Float64, cuts: Counts, zone: _Zone
) -> tuple[Counts, list[End]]:
    """The exact counts at some cuts, and their exact ends."""
    m = fragments.cut.fragments
    above = np.count_nonzero(squared > zone.high, axis=1)
    doubtful = np.flatnonzero((squared >= zone.low) & (squared <= zone.high))
    distances = _exact_of(fragments, factored, doubtful)
    order = np.argsort(-distances, kind="stable")
    distances = distances[order]
    within = cuts - int(above.sum())
    ends = map(End, distances[within - 1].tolist(), distances[within].tolist())
    return counts_by_cut(above, doubtful[order] // m, within), list(ends)


def _exact_of(fragments: Fragments, factored: Whitening, which: npt.NDArray[np.intp]) -> Float64:
    """The exact distances of some fragments, each i·m + j."""
    participants, indices = np.divmod(which, fragments.cut.fragments)
    distances = np.empty(len(which))
    together, inverse = np.unique(indices, return_inverse=True)
    by_place = np.argsort(inverse, kind="stable")
    step = max(1, _CLOSE_VALUES // (fragments.participants * fragments.cut.dimension))
    for start in range(0, len(together), step):
        rows = fragments.centred_at(together[start : start + step])
        here = np.searchsorted(inverse[by_place], (start, start + step))
        chosen = by_place[slice(*here)]
        found = rows[participants[chosen], inverse[chosen] - start]
        distances[chosen] = factored.distances(found)
    return distances
