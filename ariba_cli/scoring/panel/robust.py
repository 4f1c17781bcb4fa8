"""Deviations that a minority cannot move: medians, and medians of deviations from them."""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from ariba_cli.scoring.update_statistics import Float64

Kept = npt.NDArray[np.bool_]

# To so many decimals deviations are compared, on every machine alike.
_DECIMALS = 6
_MAD_TO_DEVIATION = 1.4826
_LEAST_SPREAD = 1e-12


def deviations(values: Float64, kept: Kept, floor: float = 0.0) -> Float64:
    """Return (x − median) / (1.4826·MAD), of those who are kept; 0 where they are all equal.

    Parameters
    ----------
    values : float64 array of shape (n,)
        One for each participant.
    kept : bool array of shape (n,)
        Whose values say what is usual.
    floor : float, optional
        The least that is taken for the spread.
    """
    median = float(np.median(values[kept]))
    spread = max(_MAD_TO_DEVIATION * float(np.median(np.abs(values[kept] - median))), floor)
    if spread <= _LEAST_SPREAD * max(1.0, abs(median)):
        return np.zeros(len(values))
    # Of few participants both medians are uncertain.
    found: Float64 = (values - median) / spread * _correction(kept)
    return np.round(found, _DECIMALS)


def likeness(cosines: Float64, kept: Kept, judged: Kept) -> dict[str, Float64]:
    """Return how unusual the largest cosine of each is, and the mean of its three largest.

    Both are in robust deviations of all pairs of those who are kept, less what the largest of
    n − 1 normal draws are expected to be.

    Parameters
    ----------
    cosines : float64 array of shape (n, n)
        Of all pairs.
    kept, judged : bool array of shape (n,)
        Whose pairs say what is usual; who has cosines that mean something.
    """
    n = len(cosines)
    inner = cosines[np.ix_(kept & judged, kept & judged)]
    pairs = inner[np.triu_indices(len(inner), 1)]
    if not len(pairs):
        return {}
    median = float(np.median(pairs))
    spread = max(_MAD_TO_DEVIATION * float(np.median(np.abs(pairs - median))), 1e-9)
    found = (cosines - median) / spread * _correction(kept)
    found[~judged] = found[:, ~judged] = -1.0
    np.fill_diagonal(found, -np.inf)
    largest = -np.sort(-found, axis=1)[:, : min(3, n - 1)]
    normal = NormalDist()
    expected = [normal.inv_cdf(1 - (i + 0.625) / (n - 0.75)) for i in range(largest.shape[1])]
    return {
        "/1": np.round(largest[:, 0] - expected[0], _DECIMALS),
        "/3": np.round(largest.mean(axis=1) - math.fsum(expected) / len(expected), _DECIMALS),
    }


def _correction(kept: Kept) -> float:
    return max(0.0, 1 - 2 / int(kept.sum()))
