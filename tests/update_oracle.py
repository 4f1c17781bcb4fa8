"""The detectors of whole updates in plain float64 NumPy, from the updates themselves."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


def by_median(values: Float64) -> Float64:
    """Return values as multiples of their median."""
    found: Float64 = values / np.median(values)
    return found


def norm(delta: Float64) -> Float64:
    """Return ‖δ_i‖ by the median."""
    return by_median(np.linalg.norm(delta, axis=1))


def krum_sum(delta: Float64, i: int, f: int) -> float:
    """Return Σ of the squared distances of δ_i to its n − f − 2 nearest."""
    others = [float(((delta[i] - one) ** 2).sum()) for j, one in enumerate(delta) if j != i]
    return sum(sorted(others)[: max(1, len(delta) - f - 2)])


def krum_sums(delta: Float64, f: int) -> Float64:
    """Return the Krum score of each."""
    return np.array([krum_sum(delta, i, f) for i in range(len(delta))])


def krum(delta: Float64, f: int) -> Float64:
    """Return Krum scores by their median."""
    return by_median(krum_sums(delta, f))


def multi_krum(delta: Float64, f: int) -> Float64:
    """Return Krum scores by the largest that is averaged."""
    sums = krum_sums(delta, f)
    found: Float64 = sums / sorted(sums)[len(delta) - f - 1]
    return found


def bulyan(delta: Float64, f: int) -> Float64:
    """Return the step at which each is taken, over the number of steps that select."""
    left, taken = list(range(len(delta))), []
    while len(left) > 1:
        own = krum_sums(delta[left], f)
        taken.append(left.pop(int(own.argmin())))
    taken += left
    steps = {who: step for step, who in enumerate(taken, 1)}
    return np.array([steps[i] / (len(delta) - 2 * f) for i in range(len(delta))])


def foolsgold(delta: Float64) -> Float64:
    """Return the largest pardoned cosine of each, pair by pair."""
    n = len(delta)
    unit = delta / np.linalg.norm(delta, axis=1, keepdims=True)
    cosine = unit @ unit.T
    largest = [max(cosine[i, j] for j in range(n) if j != i) for i in range(n)]
    return np.array(
        [
            max(
                cosine[i, j]
                * (largest[i] / largest[j] if largest[j] > max(largest[i], 0.0) else 1.0)
                for j in range(n)
                if j != i
            )
            for i in range(n)
        ]
    )


def cosine(delta: Float64, neighbours: int) -> Float64:
    """Return the mean of the largest cosines to others, the median taken away."""
    moved = delta - np.median(delta, axis=0)
    length = np.linalg.norm(moved, axis=1, keepdims=True)
    # Whoever is the median itself points nowhere.
    unit = moved / np.where(length > 0, length, 1)
    found = unit @ unit.T
    np.fill_diagonal(found, -np.inf)
    means: Float64 = np.sort(found, axis=1)[:, -neighbours:].mean(axis=1)
    return means


def spectral(delta: Float64) -> Float64:
    """Return the share of each in the variance along the first right singular vector."""
    moved = delta - delta.mean(axis=0)
    along = (moved @ np.linalg.svd(moved)[2][0]) ** 2
    found: Float64 = along / along.sum()
    return found


def median_distance(delta: Float64) -> Float64:
    """Return the distances to the coordinate-wise median, by their median."""
    return by_median(np.linalg.norm(delta - np.median(delta, axis=0), axis=1))


def sign(delta: Float64) -> Float64:
    """Return how far the agreement with the majority is from the median agreement."""
    majority = np.sign(np.sign(delta).sum(axis=0))
    counted = majority != 0
    if not counted.any():
        return np.zeros(len(delta))
    agreement = (np.sign(delta[:, counted]) == majority[counted]).mean(axis=1)
    found: Float64 = np.abs(agreement - np.median(agreement))
    return found


def deviations(values: Float64) -> Float64:
    """Return the robust deviations of each column."""
    moved = np.abs(values - np.median(values, axis=0))
    found: Float64 = moved / (1.4826 * np.median(moved, axis=0))
    return found


def last_bias(weight: Float64, bias: Float64) -> Float64:
    """Return the largest deviation over classes, of bias or row; weight is n × classes × in."""
    rows = np.linalg.norm(weight, axis=2)
    found: Float64 = np.maximum(deviations(bias), deviations(rows)).max(axis=1)
    return found


ORACLES: dict[str, Callable[..., Float64]] = {
    "norm": norm,
    "krum": krum,
    "multi-krum": multi_krum,
    "bulyan": bulyan,
    "foolsgold": foolsgold,
    "cosine": cosine,
    "spectral": spectral,
    "median-distance": median_distance,
    "sign": sign,
}
