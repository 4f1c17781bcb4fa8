"""The pairs of updates that point the same way, beyond the common part or the mix of classes."""

from collections.abc import Iterable

import numpy as np

from ariba_cli.scoring.panel.robust import Kept
from ariba_cli.scoring.update_statistics import Float64

_TINY = 1e-300
# Who decides a regression alone is not judged by it.
_MOST_LEVERAGE = 0.5


def pair_cosines(grams: Iterable[Float64], kept: Kept) -> Float64:
    """Return the cosine of each pair of updates after the mean of the kept others is subtracted.

    The pair itself is left out of its mean: otherwise that alone would make those who are not
    kept look alike.

    Parameters
    ----------
    grams : iterable of float64 arrays of shape (n, n)
        The inner products of each group of layers.
    kept : bool array of shape (n,)
        True for the participants who count in means.
    """
    a = kept.astype(np.float64)
    others = np.maximum(a.sum() - a[:, None] - a, 1.0)
    inner, squares = np.zeros((len(a), len(a))), np.zeros((len(a), len(a)))
    for gram in grams:
        diagonal = np.diagonal(gram)
        sums = (gram * a).sum(axis=1)
        to_mean = (sums[:, None] - (a * diagonal)[:, None] - a * gram) / others
        mean_square = (
            (a * sums).sum()
            - 2 * (a * sums)[:, None]
            - 2 * (a * sums)
            + (a * diagonal)[:, None]
            + a * diagonal
            + 2 * np.outer(a, a) * gram
        ) / others**2
        inner += gram - to_mean - to_mean.T + mean_square
        squares += diagonal[:, None] - 2 * to_mean + mean_square
    found: Float64 = inner / np.sqrt(np.maximum(squares * squares.T, _TINY))
    return found.clip(-1.0, 1.0)


def residual_cosines(grams: Iterable[Float64], residual: Float64) -> Float64:
    """Return the cosines of the residuals of the updates after a regression.

    Parameters
    ----------
    grams : iterable of float64 arrays of shape (n, n)
        The inner products of each group of layers.
    residual : float64 array of shape (n, n)
        The matrix that maps updates to their residuals.
    """
    inner = sum((residual @ gram @ residual.T for gram in grams), start=np.zeros_like(residual))
    lengths = np.sqrt(np.maximum(np.diagonal(inner), _TINY))
    found: Float64 = inner / lengths / lengths[:, None]
    return found.clip(-1.0, 1.0)


def class_mix_residual(bias: Float64, kept: Kept) -> tuple[Float64, Kept]:
    """Return the matrix that removes the effect of the mix of classes, and those who are judged.

    Each update is predicted from the kept others, linearly in the leading components of the updates
    of the output bias.

    Parameters
    ----------
    bias : float64 array of shape (n, classes)
        The updates of the output bias, by the norm of the whole update.
    kept : bool array of shape (n,)
        True for the participants from whom the regression is learned.
    """
    n, index = len(bias), np.flatnonzero(kept)
    moved = bias - bias[kept].mean(axis=0)
    components = int(min(bias.shape[1] - 1, max(2, kept.sum() // 5)))
    vectors = np.linalg.eigh(moved[kept].T @ moved[kept])[1][:, ::-1][:, :components]
    features = np.column_stack([np.ones(n), moved @ vectors])
    known = features[kept]
    hat = features @ np.linalg.pinv(known.T @ known) @ known.T
    predicted = np.zeros((n, n))
    predicted[:, index] = hat
    leverage = np.zeros(n)
    for place, who in enumerate(index):
        leverage[who] = hat[who, place]
        predicted[who] /= 1 - min(leverage[who], 0.9)
        predicted[who, who] = 0.0
    return np.eye(n) - predicted, leverage <= _MOST_LEVERAGE
