"""Aggregation rules as their publications have them, in plain NumPy on whole updates.

Each takes the updates δ_i, of shape (n, coordinates), and returns what is added to the global
model. None is quick, and none uses an inner product for a distance.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


def fedavg(delta: Float64) -> Float64:
    found: Float64 = np.sum(delta, axis=0) / len(delta)
    return found


def krum_score(delta: Float64, who: list[int], i: int, f: int) -> float:
    distances = sorted(float(np.sum((delta[i] - delta[j]) ** 2)) for j in who if j != i)
    return sum(distances[: max(1, len(who) - f - 2)])


def central_first(delta: Float64) -> Float64:
    """Return the updates in the order in which those of equal score are taken."""
    totals = [sum(float(np.sum((one - other) ** 2)) for other in delta) for one in delta]
    found: Float64 = delta[np.argsort(totals, kind="stable")]
    return found


def krum(delta: Float64, f: int) -> Float64:
    delta, who = central_first(delta), list(range(len(delta)))
    best: Float64 = delta[min(who, key=lambda i: krum_score(delta, who, i, f))]
    return best


def multi_krum(delta: Float64, f: int) -> Float64:
    delta, who = central_first(delta), list(range(len(delta)))
    order = sorted(who, key=lambda i: krum_score(delta, who, i, f))
    found: Float64 = np.mean(delta[order[: len(who) - f]], axis=0)
    return found


def bulyan(delta: Float64, f: int) -> Float64:
    delta = central_first(delta)
    left: list[int] = list(range(len(delta)))
    taken: list[int] = []
    while len(taken) < len(delta) - 2 * f:
        best = min(left, key=lambda i: krum_score(delta, left, i, f))
        taken.append(best)
        left.remove(best)
    columns = []
    for column in delta[taken].T:
        near = np.argsort(abs(column - np.median(column)), kind="stable")
        columns.append(np.mean(column[near[: len(taken) - 2 * f]]))
    return np.array(columns)


def median(delta: Float64) -> Float64:
    return np.array([np.median(column) for column in delta.T])


def trimmed_mean(delta: Float64, f: int) -> Float64:
    return np.array([np.mean(sorted(column)[f : len(column) - f]) for column in delta.T])


def geometric_median(delta: Float64) -> Float64:
    """Return the point that Weiszfeld's steps reach from the median of the updates."""
    z: Float64 = np.median(delta, axis=0)
    for _ in range(3_000):
        distances = np.sqrt(np.sum((delta - z) ** 2, axis=1))
        weights = 1 / np.maximum(distances, 1e-9 * distances.max())
        z = weights @ delta / weights.sum()
    return z


def foolsgold(delta: Float64) -> Float64:
    n = len(delta)
    norms = np.sqrt(np.sum(delta**2, axis=1))
    cs = np.array(
        [
            [-np.inf if i == j else delta[i] @ delta[j] / (norms[i] * norms[j]) for j in range(n)]
            for i in range(n)
        ]
    )
    v = cs.max(axis=1)
    for i in range(n):
        for j in range(n):
            if i != j and v[j] > v[i] and v[j] > 0:
                cs[i, j] *= v[i] / v[j]
    alpha = np.clip(1 - cs.max(axis=1), 0, 1)
    alpha = np.minimum(alpha / alpha.max(), 0.99)
    with np.errstate(divide="ignore"):
        alpha = np.clip(np.log(alpha / (1 - alpha)) + 0.5, 0, 1)
    found: Float64 = alpha @ delta / alpha.sum()
    return found


def norm_clip(delta: Float64, norm: float | None = None) -> Float64:
    norms = [float(np.sqrt(np.sum(one**2))) for one in delta]
    most = float(np.median(norms)) if norm is None else norm
    clipped = [one / max(1.0, own / most) for one, own in zip(delta, norms, strict=True)]
    found: Float64 = np.sum(clipped, axis=0) / len(delta)
    return found


ORACLES: dict[str, Callable[..., Float64]] = {
    "fedavg": fedavg,
    "krum": krum,
    "multi-krum": multi_krum,
    "bulyan": bulyan,
    "median": median,
    "trimmed-mean": trimmed_mean,
    "geometric-median": geometric_median,
    "foolsgold": foolsgold,
    "norm-clip": norm_clip,
}
