"""The input of detectors of scope *history*: scores and sums of a run's rounds, and no update."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.scoring.update_statistics import Float64

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class OverRounds:
    """The rounds of a run, with everybody who took part in any of them.

    Attributes
    ----------
    p_values : float64 array of shape (rounds, n)
        The chance that an honest participant looks as suspicious, by round; NaN where it was away.
    lengths : float64 array of shape (rounds, n)
        ‖δ_i‖ divided by the median of its round; NaN where it was away.
    gram : float64 array of shape (n, n)
        Σ ⟨δ_i, δ_j⟩ over the rounds in which both took part: the inner products of the updates
        that each sent in them, one round behind the other.
    squares : float64 array of shape (n, n)
        Σ ‖δ_i‖² over the same rounds.
    """

    p_values: Float64
    lengths: Float64
    gram: Float64
    squares: Float64

    @property
    def rounds(self) -> int:
        """The number of rounds."""
        return len(self.p_values)

    @property
    def participants(self) -> int:
        """The number of participants who took part in any round, n."""
        return int(self.p_values.shape[1])

    @property
    def attended(self) -> Counts:
        """The number of rounds in which each took part, of shape (n,)."""
        found: Counts = np.isfinite(self.p_values).sum(axis=0)
        return found
