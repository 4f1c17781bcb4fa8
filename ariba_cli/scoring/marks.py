"""Which fragments are marked: exactly k̃·m of them, whatever ties there are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

# The value of a parameter, as it stands in a report.
Parameter = str | int | float | bool | None


@dataclass(frozen=True)
class Marks:
    """What an engine says of one layer.

    Attributes
    ----------
    scores : S_i = Σ_j s_ij (Eq. 7), integers of shape (n,).
    marked : Σ_i S_i, which is k̃·m; 0 when nothing could be told apart.
    covariance_rank : how many of the d dimensions the fragments fill; None for an engine
        that takes no covariance.
    cut_distance : the least distance, or other score of a fragment, that was marked.
    cut_margin : by what share of it the next one is smaller; 0 is a tie at the cut. Of the
        next one, where that is larger in size, as of scores below zero.
    parameters : what else the engine was run with, for the report.
    """

    scores: npt.NDArray[np.int64]
    marked: int
    covariance_rank: int | None
    cut_distance: float
    cut_margin: float
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


def nobody_marked(participants: int, covariance_rank: int | None) -> Marks:
    """What an engine says when no fragment is further away than any other."""
    return Marks(np.zeros(participants, dtype=np.int64), 0, covariance_rank, 0.0, 0.0)


def can_tell_apart(covariance_rank: int, participants: int, fragments: int) -> bool:
    """Whether distances can differ at all.

    They cannot when all participants are equal (rank 0), nor when their n·m centred
    fragments, which span (n − 1)·m dimensions at most, do span as many: then each is
    sqrt(n − 1) standard deviations away, whatever was sent.
    """
    return 0 < covariance_rank < (participants - 1) * fragments


def mark_most_distant(
    distances: npt.NDArray[np.float64], marked: int, covariance_rank: int | None
) -> Marks:
    """Mark the fragments of largest distance, or of another score that says how unusual they are.

    Ties are broken by participant, then by fragment: the order of the array.

    Parameters
    ----------
    distances : of shape (n, m), finite, participants in id order.
    marked : how many to mark, 1 ≤ marked < n·m.
    """
    flat = distances.reshape(-1)
    unmarked = flat.size - marked
    ordered = np.partition(flat, (unmarked - 1, unmarked))
    following, cut = ordered[unmarked - 1], ordered[unmarked]
    size = max(abs(cut), abs(following))
    marks = flat > cut
    ties = np.flatnonzero(flat == cut)
    marks[ties[: marked - np.count_nonzero(marks)]] = True
    return Marks(
        scores=np.count_nonzero(marks.reshape(distances.shape), axis=1).astype(np.int64),
        marked=marked,
        covariance_rank=covariance_rank,
        cut_distance=float(cut),
        cut_margin=float((cut - following) / size) if size > 0 else 0.0,
    )
