"""Which fragments are marked: exactly k̃·m of them, whatever ties there are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

# To how many significant digits a report gives them. A margin is the difference of two
# nearly equal distances: a tenth of it is all that an unhurried reader can use.
DISTANCE_DIGITS = 6
MARGIN_DIGITS = 2

# The value of a parameter, as it stands in a report.
Parameter = str | int | float | bool | None


@dataclass(frozen=True)
class End:
    """Between which two distances, or other scores of fragments, the marks end.

    Attributes
    ----------
    last : the least that is marked.
    following : the largest that is not.
    """

    last: float
    following: float

    @property
    def margin(self) -> float:
        """By what share of the larger in size, mostly the last, the following is smaller."""
        size = max(abs(self.last), abs(self.following))
        return (self.last - self.following) / size if size > 0 else 0.0

    def is_certain(self, uncertainty: float) -> bool:
        """Whether marks and digits stay if each distance is off by up to that share of it."""
        # Of the margin, with what rounding adds to it.
        doubt = 2.5 * uncertainty
        return (
            self.margin > doubt
            and _digits(self.margin - doubt, MARGIN_DIGITS)
            == _digits(self.margin + doubt, MARGIN_DIGITS)
            and _digits(self.last * (1 - uncertainty), DISTANCE_DIGITS)
            == _digits(self.last * (1 + uncertainty), DISTANCE_DIGITS)
        )


@dataclass(frozen=True)
class Marks:
    """What an engine says of one layer.

    Attributes
    ----------
    scores : S_i = Σ_j s_ij (Eq. 7), integers of shape (n,).
    marked : Σ_i S_i, which is k̃·m; 0 when nothing could be told apart.
    covariance_rank : how many of the d dimensions the fragments fill; None for an engine
        that takes no covariance.
    cut_distance : the least distance, or other score of a fragment, that was marked, to
        `DISTANCE_DIGITS`.
    cut_margin : by what share of it the next one is smaller, to `MARGIN_DIGITS`; 0 is a tie
        at the cut. See `End.margin`.
    from_reference : the l2 distance of each participant from the fragments' reference, of
        shape (n,).
    parameters : what else the engine was run with, for the report.
    device : where it was run.
    """

    scores: npt.NDArray[np.int64]
    marked: int
    covariance_rank: int | None
    cut_distance: float
    cut_margin: float
    from_reference: npt.NDArray[np.float64]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    device: str = "cpu"


def nobody_marked(
    participants: int, covariance_rank: int | None, from_reference: npt.NDArray[np.float64]
) -> Marks:
    """What an engine says when no fragment is further away than any other."""
    nobody = np.zeros(participants, dtype=np.int64)
    return marks_of(nobody, covariance_rank, End(0.0, 0.0), from_reference)


def marks_of(
    scores: npt.NDArray[np.int64],
    covariance_rank: int | None,
    end: End,
    from_reference: npt.NDArray[np.float64],
) -> Marks:
    """The marks of a layer that end there."""
    return Marks(
        scores=scores,
        marked=int(scores.sum()),
        covariance_rank=covariance_rank,
        cut_distance=_digits(end.last, DISTANCE_DIGITS),
        cut_margin=_digits(end.margin, MARGIN_DIGITS),
        from_reference=from_reference,
    )


def can_tell_apart(covariance_rank: int, participants: int, fragments: int) -> bool:
    """Whether distances can differ at all.

    They cannot when all participants are equal (rank 0), nor when their n·m centred
    fragments, which span (n − 1)·m dimensions at most, do span as many: then each is
    sqrt(n − 1) standard deviations away, whatever was sent.
    """
    return 0 < covariance_rank < (participants - 1) * fragments


def cut_after(distances: npt.NDArray[np.float64], marked: int) -> tuple[npt.NDArray[np.bool_], End]:
    """Mark the largest distances, and say where they end.

    Ties are broken by the order of the array: by participant, then by fragment.

    Parameters
    ----------
    distances : of shape (any,), finite.
    marked : how many to mark, 1 ≤ marked < size.
    """
    unmarked = distances.size - marked
    ordered = np.partition(distances, (unmarked - 1, unmarked))
    cut = End(float(ordered[unmarked]), float(ordered[unmarked - 1]))
    marks = distances > cut.last
    ties = np.flatnonzero(distances == cut.last)
    marks[ties[: marked - np.count_nonzero(marks)]] = True
    return marks, cut


def count_marks(
    distances: npt.NDArray[np.float64], marked: int
) -> tuple[npt.NDArray[np.int64], End]:
    """How many marks each participant gets, of shape (n,), and where they end; see `cut_after`.

    Parameters
    ----------
    distances : of shape (n, m), participants in id order.
    """
    marks, end = cut_after(distances.reshape(-1), marked)
    return np.count_nonzero(marks.reshape(distances.shape), axis=1).astype(np.int64), end


def _digits(number: float, digits: int) -> float:
    return float(f"{number:.{digits}g}")
