"""Deviations that a minority cannot move: medians, and medians of deviations from them."""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from ariba_cli.base.medians import median_of
from ariba_cli.scoring.update_statistics import Float64

Kept = npt.NDArray[np.bool_]

# To so many decimals deviations are compared, on every machine alike.
DECIMALS = 6
_MAD_TO_DEVIATION = 1.4826
_LEAST_SPREAD = 1e-12
_LEAST_SPREAD_OF_PAIRS = 1e-9
_LEAST_SQUARE = 1e-300
# What a part's variance is at least, by the mean of all.
_LEAST_VARIANCE = 0.1
_LEAST_DISTANCE, _MOST_DISTANCE = 1e-9, 1e9
# A third in length; see `gap_evidence`.
_LEAST_SCALE = 0.3
_MOST_ABOVE = 3
# See `excess_of`: the highest fifth may be attackers, and ten participants of other rounds, whose
# scores exceed the median by 3 in the mean, have a say where there are few.
_LOWER_PART = 0.8
_OTHERS, _THEIR_EXCESS = 10.0, 3.0


def deviations(values: Float64, kept: Kept, floor: float = 0.0) -> Float64:
    """Return (x − median) / (1.4826·MAD), of those who are kept; 0 where they are all equal.

    Parameters
    ----------
    values : float64 array of shape (n,)
        The value of each participant.
    kept : bool array of shape (n,)
        True for the participants whose values define the usual.
    floor : float, optional
        The least value for the spread.
    """
    median = median_of(values[kept])
    apart = np.abs(values - median)
    # Those who are kept may be many who copied one value: everybody has a say in the spread.
    usual = max(median_of(apart[kept]), median_of(apart))
    spread = max(_MAD_TO_DEVIATION * usual, floor)
    if spread <= _LEAST_SPREAD * max(1.0, abs(median)):
        return np.zeros(len(values))
    # Of few participants both medians are uncertain.
    found: Float64 = (values - median) / spread * _correction(kept)
    return np.round(found, DECIMALS)


def likeness(cosines: Float64, kept: Kept, judged: Kept) -> dict[str, Float64]:
    """Return the deviation of the largest cosine of each, and of the mean of its three largest.

    Both are in robust deviations of all pairs of those who are kept, less the expected largest of
    n − 1 normal draws.

    Parameters
    ----------
    cosines : float64 array of shape (n, n)
        The cosines of all pairs.
    kept, judged : bool array of shape (n,)
        True for the participants whose pairs define the usual; true for those whose cosines mean
        something.
    """
    n = len(cosines)
    inner = cosines[np.ix_(kept & judged, kept & judged)]
    pairs = inner[np.triu_indices(len(inner), 1)]
    if not len(pairs):
        return {}
    median = median_of(pairs)
    found = (cosines - median) / spread_of_pairs(inner) * _correction(kept)
    found[~judged] = found[:, ~judged] = -1.0
    np.fill_diagonal(found, -np.inf)
    largest = -np.sort(-found, axis=1)[:, : min(3, n - 1)]
    normal = NormalDist()
    expected = [normal.inv_cdf(1 - (i + 0.625) / (n - 0.75)) for i in range(largest.shape[1])]
    return {
        "/1": np.round(largest[:, 0] - expected[0], DECIMALS),
        "/3": np.round(largest.mean(axis=1) - math.fsum(expected) / len(expected), DECIMALS),
    }


def spread_of_pairs(cosines: Float64) -> float:
    """Return 1.4826·MAD of the cosines of all pairs."""
    pairs = cosines[np.triu_indices(len(cosines), 1)]
    apart = np.abs(pairs - median_of(pairs))
    return max(_MAD_TO_DEVIATION * median_of(apart), _LEAST_SPREAD_OF_PAIRS)


def gap_evidence(logarithms: Float64) -> Float64:
    """Return the evidence of the widest gap below each, against the values that lie below it.

    Above an exponential tail of scale β, the k-th gap from the top is exponential itself, of
    mean β/k (Rényi 1953). β is the mean excess of the upper half of those below over their
    median, so that a wide gap says little where the honest differ much. k counts up to 3,
    and a quarter is above at most: many of the honest may have more samples than the others.

    Parameters
    ----------
    logarithms : float64 array of shape (n,)
        The logarithms of lengths.

    Returns
    -------
    float64 array of shape (n,)
        The largest min(k, 3)·gap/β of those gaps that have this one above them, and no more than
        a quarter.
    """
    n, order = len(logarithms), np.argsort(-logarithms, kind="stable")
    falling, found = logarithms[order], np.zeros(n)
    for k in range(1, n // 4 + 1):
        excess = falling[k:] - median_of(falling[k:])
        upper = excess[excess > 0]
        scale = max(_LEAST_SCALE, float(upper.mean()) if len(upper) else 0.0)
        found[k - 1] = min(k, _MOST_ABOVE) * (falling[k - 1] - falling[k]) / scale
    widest = np.empty(n)
    widest[order] = np.maximum.accumulate(found[::-1])[::-1]
    return np.round(widest, DECIMALS)


def excess_of(scores: Float64) -> float:
    """Return the mean excess of scores above the median, under an exponential distribution.

    The highest are counted as if they were censored: nobody knows whether they are honest.
    (Maximum likelihood: Epstein and Sobel, Life Testing, JASA 1953.)

    Parameters
    ----------
    scores : float64 array of shape (n,)
        The scores of the usual participants.
    """
    above = np.sort(scores - median_of(scores))
    above = above[above > 0]
    seen = math.ceil(_LOWER_PART * len(above))
    total = float(above[:seen].sum())
    if seen:
        total += (len(above) - seen) * float(above[seen - 1])
    return (total + _OTHERS * _THEIR_EXCESS) / (seen + _OTHERS)


def share_distance(squares: Float64, kept: Kept) -> Float64:
    """Return the distances of the shares of an update's parts from those of the kept others.

    Parameters
    ----------
    squares : float64 array of shape (n, parts)
        ‖part‖² of each update.
    kept : bool array of shape (n,)
        True for the participants whose shares define the usual; one's own never counts for itself.

    Returns
    -------
    float64 array of shape (n,)
        The mean over parts of (s − m)²/(v + v̄/10), with the share s = ‖part‖²/‖update‖², and
        its mean m and variance v among the others; v̄ is the mean of v over the parts.
    """
    shares = squares / np.maximum(squares.sum(axis=1, keepdims=True), _LEAST_SQUARE)
    a = kept.astype(np.float64)[:, None]
    others = np.maximum(a.sum() - a, 1.0)
    of_kept = a * shares
    means = (of_kept.sum(axis=0) - of_kept) / others
    apart = a * np.square(shares - of_kept.sum(axis=0) / max(a.sum(), 1.0))
    variances = (apart.sum(axis=0) - apart) / others
    variances = variances + _LEAST_VARIANCE * variances.mean(axis=1, keepdims=True)
    found: Float64 = (np.square(shares - means) / (variances + _LEAST_SQUARE)).mean(axis=1)
    return np.nan_to_num(np.clip(found, _LEAST_DISTANCE, _MOST_DISTANCE), nan=_LEAST_DISTANCE)


def _correction(kept: Kept) -> float:
    return max(0.0, 1 - 2 / int(kept.sum()))
