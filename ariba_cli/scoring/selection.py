"""The most distant fragments, at every cut that is of interest.

All distances are first found approximately, with a bound on the error, and only those near a cut
are sorted (`near_cuts`). For the few fragments whose order is in doubt there, and for those
at the cut whose distance is reported, it is found again, exactly as `Whitening.distances`
gives it. Where many distances are alike at a cut, as those of untouched fragments, all are.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.scoring.marks import (
    CountedMarks,
    Counts,
    Cutoff,
    counted_k_ests,
    marks_by_k_est,
)
from ariba_cli.scoring.near_cuts import Distances, Run, near
from ariba_cli.scoring.processor import Processor
from ariba_cli.scoring.sweep import sweep
from ariba_cli.scoring.whitening import EPS, Whitening
from ariba_cli.updates.chunks import Chunk, side_by_side
from ariba_cli.updates.fragments import Fragments

Float64 = npt.NDArray[np.float64]

# A distance that is off by a larger share is of no use.
_ROUGHEST = 1e-6
# Values that are read to find some distances exactly, at a time.
_CLOSE_VALUES = 2**20


@dataclass(frozen=True)
class Selected:
    """The marks for several k_est.

    Attributes
    ----------
    counted : CountedMarks
        The marks; their end is exact for the k_est that was asked for.
    roughness : float
        The largest relative error of the other ends.
    largest : float
        The largest of all distances, approximately.
    distances : float64 array of shape (n, m), optional
        The exact distances of all fragments, where they were asked for.
    """

    counted: CountedMarks
    roughness: float
    largest: float
    distances: Float64 | None = None


def most_distant(
    fragments: Fragments,
    factored: Whitening,
    k_est: int,
    processor: Processor,
    *,
    keep_distances: bool = False,
) -> Selected:
    """Mark k·m fragments of largest distance for every k of `counted_k_ests`.

    Ties are broken by participant, then by fragment.

    Parameters
    ----------
    fragments : Fragments
        The fragments of n participants, m each.
    factored : Whitening
        The factored covariance of the fragments.
    k_est : int
        The number k_est of suspected participants.
    processor : Processor
        The processor that finds approximate distances.
    keep_distances : bool
        True to find every distance exactly and keep it.
    """
    k_ests = counted_k_ests(k_est, fragments.participants)
    cuts = fragments.cut.fragments * k_ests
    distances = Distances(fragments, factored, processor)
    roughness = _roughness(factored)
    # It may be no number.
    rough_ones_do = roughness <= _ROUGHEST and not keep_distances
    runs = near(distances, cuts) if rough_ones_do else None
    if runs is None:
        exact = _exact_distances(fragments, factored)
        marks = marks_by_k_est(exact, k_est)
        return Selected(marks, 0.0, float(exact.max()), exact if keep_distances else None)
    counts = np.empty((len(cuts), fragments.participants), dtype=np.int32)
    ends: list[Cutoff] = []
    for run in runs:
        reported = int(np.searchsorted(k_ests, k_est)) - run.cuts.start
        counts[run.cuts], here = _settled(fragments, factored, run, reported, roughness)
        ends += here
    counted = CountedMarks(k_ests, counts, tuple(ends))
    return Selected(counted, roughness, math.sqrt(distances.largest))


@dataclass(frozen=True)
class ExactDistances:
    """The task of finding the exact distances of a chunk."""

    factored: Whitening

    def __call__(self, chunk: Chunk) -> Float64:
        """Return them, of shape (n, run)."""
        n, d = len(chunk.values), chunk.dimension
        distances = np.empty((n, chunk.fragments))

        def find(blocks: Iterator[tuple[int, Float64]]) -> None:
            for first, block in blocks:
                found = self.factored.distances(block.reshape(-1, d)).reshape(n, -1)
                distances[:, first : first + found.shape[1]] = found

        sweep(chunk, find)
        return distances


def _exact_distances(fragments: Fragments, factored: Whitening) -> Float64:
    """Return the exact distance of every fragment, of shape (n, m)."""
    parts = fragments.map(ExactDistances(factored))
    return side_by_side(parts, fragments.participants, fragments.cut.fragments)


def _roughness(factored: Whitening) -> float:
    """Return the largest relative difference of ‖W·x‖ in float64 from the exact distance of x.

    Scaled by the standard deviations, the coordinates of a fragment are at most its distance,
    and all together at most √d times it; the rows of W have a Frobenius norm of √τ
    (`Whitening.sensitivity`). A product of d terms is off by (d + 3)·u of the sum of their
    magnitudes, its inputs' own roundings included, where u is half the distance of 1 to the next
    number; the inverse in W, and the exact distance itself, by terms of d²·τ.
    """
    d, tau, unit = len(factored.variances), factored.sensitivity, EPS / 2
    return float(unit * ((d + 3) * math.sqrt(tau * d) + d) + 2 * EPS * (d + 1) * d * tau)


def _settled(
    fragments: Fragments, factored: Whitening, run: Run, reported: int, roughness: float
) -> tuple[Counts, list[Cutoff]]:
    """Return the counts at the cuts of a run, and their ends.

    Parameters
    ----------
    fragments : Fragments
        The fragments of n participants.
    factored : Whitening
        The factored covariance of the fragments.
    run : Run
        The fragments around some cuts.
    reported : int
        The cut whose distances are reported; it may be in another run.
    roughness : float
        The largest relative error of a distance.
    """
    which, distances = run.which.copy(), np.sqrt(run.squared)
    for zone in _zones(distances, run.places, reported, roughness):
        doubtful = np.sort(which[zone])
        exact = _exact_of(fragments, factored, doubtful)
        order = np.argsort(-exact, kind="stable")
        which[zone], distances[zone] = doubtful[order], exact[order]
    ends = map(Cutoff, distances[run.places - 1].tolist(), distances[run.places].tolist())
    participants = which // fragments.cut.fragments
    return _counts_by_cut(run.above, participants, run.places), list(ends)


def _counts_by_cut(above: Counts, participants: Counts, cuts: Counts) -> Counts:
    """Return the number of marks of each participant at every cut, of shape (cuts, n).

    Parameters
    ----------
    above : int64 array of shape (n,)
        The number that each has already.
    participants : int64 array
        The participants of the fragments that follow, the most distant first.
    cuts : int64 array
        The number of these fragments that are marked, in ascending order.
    """
    counts = np.empty((len(cuts), len(above)), dtype=np.int32)
    marked, start = np.asarray(above), 0
    for row, cut in enumerate(cuts):
        marked = marked + np.bincount(participants[start:cut], minlength=len(above))
        counts[row], start = marked, cut
    return counts


def _zones(distances: Float64, places: Counts, reported: int, roughness: float) -> list[slice]:
    """Return the places where the exact order is in doubt and matters.

    They are at cuts that are not clear, and at the reported one.

    Parameters
    ----------
    distances : float64 array
        The approximate distances, in descending order.
    places : int64 array
        The number of them before each cut.
    reported : int
        The cut whose distances are reported.
    roughness : float
        The largest relative error of a distance.
    """
    less, more = 1 - roughness, 1 + roughness
    last, following = distances[places - 1], distances[places]
    in_doubt = last * less <= following * more
    if 0 <= reported < len(places):
        in_doubt[reported] = True
    # A root is off by a rounding.
    low = following[in_doubt] * (less / more) * (1 - 2 * EPS)
    high = last[in_doubt] * (more / less) * (1 + 2 * EPS)
    starts = np.searchsorted(-distances, -high, side="left")
    stops = np.searchsorted(-distances, -low, side="right")
    zones: list[slice] = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        # One that begins before the one before it ends is the same.
        if zones and start < zones[-1].stop:
            start = zones.pop().start
        zones.append(slice(start, stop))
    return zones


def _exact_of(fragments: Fragments, factored: Whitening, which: Counts) -> Float64:
    """Return the exact distances of some fragments, each i·m + j."""
    participants, indices = np.divmod(which, fragments.cut.fragments)
    distances = np.empty(len(which))
    together, inverse = np.unique(indices, return_inverse=True)
    by_place = np.argsort(inverse, kind="stable")
    places = inverse[by_place]
    step = max(1, _CLOSE_VALUES // (fragments.participants * fragments.cut.dimension))
    for start in range(0, len(together), step):
        rows = fragments.centred_at(together[start : start + step])
        here = np.searchsorted(places, (start, start + step))
        chosen = by_place[slice(*here)]
        found = rows[participants[chosen], inverse[chosen] - start]
        distances[chosen] = factored.distances(found)
    return distances
