"""What detectors of scope *history* know of the rounds of a run: scores and sums, and no update."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.scoring.update_statistics import Float64

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class OverRounds:
    """The rounds of a run, of everybody who took part in any of them.

    Attributes
    ----------
    p_values : float64 array of shape (rounds, n)
        How likely an honest participant looked as suspicious, by round; NaN where it was away.
    lengths : float64 array of shape (rounds, n)
        ‖δ_i‖ by the median of its round; NaN where it was away.
    gram : float64 array of shape (n, n)
        Σ ⟨δ_i, δ_j⟩ over the rounds in which both took part: the inner products of what each
        sent in them, one round behind the other.
    squares : float64 array of shape (n, n)
        Σ ‖δ_i‖² over the same rounds.
    """

    p_values: Float64
    lengths: Float64
    gram: Float64
    squares: Float64

    @property
    def rounds(self) -> int:
        """How many rounds there are."""
        return len(self.p_values)

    @property
    def participants(self) -> int:
        """How many took part in any, n."""
        return int(self.p_values.shape[1])

    @property
    def attended(self) -> Counts:
        """In how many rounds each took part, of shape (n,)."""
        found: Counts = np.isfinite(self.p_values).sum(axis=0)
        return found
