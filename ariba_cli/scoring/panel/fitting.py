"""The fitting of tails to the values that honest participants show."""

from collections.abc import Sequence

import numpy as np

from ariba_cli.scoring.panel.tails import RARE, Tail
from ariba_cli.scoring.update_statistics import Float64

# At these chances a fit is held against others, where so many or more of them are there.
CHECKED = (0.01, 0.002, 0.001, 0.0002)
_FEWEST = 5

_DECIMALS = 4
_TINY = 1e-12
# Where nearly all of the honest show the same, a normal distribution is taken for them: the
# deviations were held against a floor, and no difference that small means anything.
_LEAST_SPREAD = 0.1
_NORMAL = Tail(0.0, 1.645, 0.6)
# The largest of a tail count as if they were no larger than the others: a network that has
# collapsed says nothing of other networks, and would decide the mean by itself.
_CENSORED = 0.02
# No tail ends more abruptly, by its distance from the median.
_LEAST_EXCESS = 0.15


def fit_tail(bases: Sequence[Float64]) -> Tail:
    """Fit a tail: the median, the value that a twentieth exceeds, and the mean excess over it.

    The mean is that of an exponential distribution of which the largest values are censored
    (Epstein and Sobel 1953).

    Parameters
    ----------
    bases : sequence of float64 arrays
        The values of honest participants, by kind of rounds. Each kind has the same weight.
    """
    values, share = weighted(bases)
    median, rare = (quantile(values, share, q) for q in (0.5, 1 - RARE))
    if rare - median < _LEAST_SPREAD:
        return Tail(
            round(median, _DECIMALS), round(median + _NORMAL.rare, _DECIMALS), _NORMAL.excess
        )
    beyond = values > rare
    weights = np.diff(share, prepend=0.0)[beyond]
    most = quantile(values, share, 1 - RARE * _CENSORED)
    seen = weights[values[beyond] <= most].sum()
    excess = float((np.minimum(values, most) - rare)[beyond] @ weights) / max(seen, _TINY)
    least = _LEAST_EXCESS * (rare - median)
    return Tail(*(round(float(one), _DECIMALS) for one in (median, rare, max(excess, least))))


def weighted(bases: Sequence[Float64]) -> tuple[Float64, Float64]:
    """Return all values in order, and the share up to each, with equal weight for bases."""
    values = np.concatenate(bases)
    weights = np.concatenate([np.full(len(own), 1 / len(own)) for own in bases])
    order = np.argsort(values, kind="stable")
    reached: Float64 = np.cumsum(weights[order]) / weights.sum()
    return values[order], reached


def quantile(values: Float64, share: Float64, q: float) -> float:
    """Return the least value up to which a share q of all values lies; see `weighted`."""
    return float(values[min(int(np.searchsorted(share, q)), len(values) - 1)])


def told_by(participants: int) -> list[float]:
    """Return the chances at which there are enough participants to tell."""
    return [alpha for alpha in CHECKED if alpha * participants >= _FEWEST]
