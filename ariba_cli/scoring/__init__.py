"""From fragments to distances to exact marks (arXiv 2202.04311, Algorithm 2).

An engine is anything with the signature of `Scorer`. All engines give the same bits:
what is summed over the fragments is summed in exact integers (`moments`), what is
computed per fragment is computed by the same IEEE operations in the same order
(`whitening`), and ties are broken by participant and fragment (`marks`). Neither
BLAS nor threads nor devices can change a result that no rounding depends on.
"""

from typing import Protocol

from ariba_cli.fragments import Fragments
from ariba_cli.scoring.marks import Marks


class Scorer(Protocol):
    """Marks the k̃·m fragments of largest Mahalanobis distance."""

    def __call__(self, fragments: Fragments, k_est: int) -> Marks:
        """Score the fragments; k_est is k̃, 1 ≤ k̃ < n."""
        ...
