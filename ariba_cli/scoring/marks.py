"""The marks on fragments: exactly k_est·m of them, whatever ties there are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ariba_cli.base.parameters import Parameter

# To how many significant digits a report gives them. A margin is the difference of two
# nearly equal distances: a tenth of it is all that an unhurried reader can use.
DISTANCE_DIGITS = 6
MARGIN_DIGITS = 2
# Of more participants, marks are counted for no more than 64 k_est: the numbers for all of them
# would take more memory than the values of a small layer.
_MOST_FOR_EVERY_K_EST = 1000
_SPREAD = 61
# By how many uncertainties of a distance a margin may be off, with what rounding adds to it.
_DOUBT = 2.5

Counts = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Cutoff:
    """The two distances, or other scores of fragments, between which the marks end.

    Attributes
    ----------
    last : float
        The least that is marked.
    following : float
        The largest that is not marked.
    """

    last: float
    following: float

    @property
    def margin(self) -> float:
        """The difference of the two as a share of the larger in size, which mostly is the last."""
        size = max(abs(self.last), abs(self.following))
        return (self.last - self.following) / size if size > 0 else 0.0

    def marks_stay(self, uncertainty: float) -> bool:
        """Return whether the marks stay if each distance has up to this relative error."""
        return self.margin > _DOUBT * uncertainty

    def is_certain(self, uncertainty: float) -> bool:
        """Return whether marks and digits stay if each distance has up to this relative error."""
        doubt = _DOUBT * uncertainty
        return (
            self.marks_stay(uncertainty)
            and _digits(self.margin - doubt, MARGIN_DIGITS)
            == _digits(self.margin + doubt, MARGIN_DIGITS)
            and _digits(self.last * (1 - uncertainty), DISTANCE_DIGITS)
            == _digits(self.last * (1 + uncertainty), DISTANCE_DIGITS)
        )


@dataclass(frozen=True)
class CountedMarks:
    """The marks of a layer for several k_est.

    Attributes
    ----------
    k_ests : int64 array of shape (k_ests,)
        These k_est, in ascending order; see `counted_k_ests`.
    by_k_est : int array of shape (k_ests, n)
        The number of marked fragments of each participant.
    ends : tuple of Cutoff
        The ends of the marks.
    """

    k_ests: Counts
    by_k_est: Counts
    ends: tuple[Cutoff, ...]

    def row(self, k_est: int) -> int:
        """Return the place of a k_est among them."""
        return int(np.searchsorted(self.k_ests, k_est))

    def end(self, k_est: int) -> Cutoff:
        """Return the end of the marks for one of them."""
        return self.ends[self.row(k_est)]


@dataclass(frozen=True)
class Marks:
    """The result of an engine for one layer.

    Attributes
    ----------
    k_ests : int64 array of shape (k_ests,)
        The k_est for which marks are counted; see `counted_k_ests`.
    by_k_est : int64 array of shape (k_ests, n)
        S_i for each of them.
    scores : int64 array of shape (n,)
        S_i = Σ_j s_ij (Eq. 7) for the k_est that was asked for.
    marked : int
        Σ_i S_i, which is k_est·m; 0 when no participants could be told apart.
    covariance_rank : int, optional
        The number of the d dimensions that the fragments fill; None for an engine without a
        covariance.
    cut_distance : float
        The least distance, or other score of a fragment, that was marked, to `DISTANCE_DIGITS`.
    cut_margin : float
        The relative difference to the next one, to `MARGIN_DIGITS`; 0 is a tie at the cut. See
        `Cutoff.margin`.
    from_reference : float64 array of shape (n,)
        The l2 distance of each participant from the fragments' reference.
    parameters : dict of str to Parameter
        The other parameters of the engine, for the report.
    device : str
        The device on which it was run.
    distances : float64 array of shape (n, m), optional
        The distances of all fragments, or their other scores, where they were asked for.
    """

    k_ests: Counts
    by_k_est: Counts
    scores: Counts
    marked: int
    covariance_rank: int | None
    cut_distance: float
    cut_margin: float
    from_reference: npt.NDArray[np.float64]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    device: str = "cpu"
    distances: npt.NDArray[np.float64] | None = None


def counted_k_ests(k_est: int, participants: int) -> Counts:
    """Return the k_est for which marks are counted, in ascending order.

    They are all up to twice the given one, or to n − 1. Of many participants they are the given
    one, those beside it, and others at even distances.
    """
    last = min(2 * k_est, participants - 1)
    if participants <= _MOST_FOR_EVERY_K_EST:
        return np.arange(1, last + 1)
    spread = 1 + np.arange(_SPREAD) * (2 * k_est - 1) // (_SPREAD - 1)
    # NumPy's `union1d` imports masked arrays.
    chosen = np.unique(np.append(spread, (k_est - 1, k_est, k_est + 1)))
    return chosen[(chosen >= 1) & (chosen <= last)]


def nobody_marked(
    k_est: int,
    participants: int,
    covariance_rank: int | None,
    from_reference: npt.NDArray[np.float64],
) -> Marks:
    """Return the result of an engine when no fragment is further away than any other."""
    k_ests = counted_k_ests(k_est, participants)
    nobody = np.zeros((len(k_ests), participants), dtype=np.int32)
    ends = (Cutoff(0.0, 0.0),) * len(k_ests)
    return marks_of(CountedMarks(k_ests, nobody, ends), k_est, covariance_rank, from_reference)


def marks_of(
    counted: CountedMarks,
    k_est: int,
    covariance_rank: int | None,
    from_reference: npt.NDArray[np.float64],
) -> Marks:
    """Return the marks of a layer for the k_est that was asked for."""
    end, scores = counted.end(k_est), counted.by_k_est[counted.row(k_est)]
    return Marks(
        k_ests=counted.k_ests,
        by_k_est=counted.by_k_est,
        scores=scores,
        marked=int(scores.sum()),
        covariance_rank=covariance_rank,
        cut_distance=_digits(end.last, DISTANCE_DIGITS),
        cut_margin=_digits(end.margin, MARGIN_DIGITS),
        from_reference=from_reference,
    )


def can_tell_apart(covariance_rank: int, participants: int, fragments: int) -> bool:
    """Return whether distances can differ at all.

    They cannot when all participants are equal (rank 0), nor when their n·m centred
    fragments, which span (n − 1)·m dimensions at most, do span as many: then each is
    sqrt(n − 1) standard deviations away, whatever was sent.
    """
    return 0 < covariance_rank < (participants - 1) * fragments


def marks_by_k_est(distances: npt.NDArray[np.float64], k_est: int) -> CountedMarks:
    """Count the marks of each participant for the k_est of `counted_k_ests`, and find their ends.

    Ties are broken by participant, then by fragment.

    Parameters
    ----------
    distances : float64 array of shape (n, m)
        The distances of the fragments, participants in id order; finite.
    k_est : int
        The number k_est that was asked for.
    """
    n, m = distances.shape
    k_ests = counted_k_ests(k_est, n)
    cuts = m * k_ests
    last, following = distances.size - cuts, distances.size - cuts - 1
    # Only what is at a cut is put in its place: that takes no more than a copy.
    placed = np.partition(distances, np.unique(np.append(last, following)), axis=None)
    thresholds = np.unique(placed[last])
    # Odd columns are for what equals a threshold, even ones for what lies between two.
    found = np.empty((n, 2 * len(thresholds) + 1), dtype=np.int64)
    for row, own in zip(found, distances, strict=True):
        column = np.searchsorted(thresholds, own, side="left")
        column += np.searchsorted(thresholds, own, side="right")
        row[:] = np.bincount(column, minlength=len(row))
    beyond = np.cumsum(found[:, ::-1], axis=1)[:, ::-1]
    ties = 2 * np.searchsorted(thresholds, placed[last]) + 1
    above, tied = beyond[:, ties + 1], found[:, ties]
    before = np.cumsum(tied, axis=0) - tied
    counts = above + np.clip(cuts - above.sum(axis=0) - before, 0, tied)
    ends = map(Cutoff, placed[last].tolist(), placed[following].tolist())
    return CountedMarks(k_ests, counts.T.astype(np.int32), tuple(ends))


def _digits(number: float, digits: int) -> float:
    return float(f"{number:.{digits}g}")
