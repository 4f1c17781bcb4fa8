"""How often honest participants reach a value: tails that were fitted on clean rounds."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ariba_cli.scoring.update_statistics import Float64


class Tail(NamedTuple):
    """The distribution of a statistic among the honest.

    Attributes
    ----------
    median : float
        Half of them are below it.
    rare : float
        A twentieth of them are above it.
    excess : float
        By how much those exceed it in the mean.
    """

    median: float
    rare: float
    excess: float


# In clean rounds of small networks without normalisation (CNN, wide CNN, MLP; SGD and Adam; 20
# to 50 participants) so many honest participants show these tails.
PARTICIPANTS = 3350
TAILS = {
    "size:all": Tail(0.0, 1.295, 0.545),
    "size:layer": Tail(0.0, 1.352, 0.615),
    "along:all-": Tail(0.0, 1.524, 0.466),
    "along:layer-": Tail(0.0, 1.554, 0.609),
    "along:all+": Tail(0.0, 1.709, 0.714),
    "along:layer+": Tail(0.0, 1.729, 0.708),
    "push:max": Tail(0.0, 1.912, 1.891),
    "push:rms": Tail(0.0, 1.413, 1.204),
    "nonsoftmax:all": Tail(0.0, 1.645, 0.6),
    "same:all/1": Tail(-0.242, 0.814, 0.464),
    "same:all/3": Tail(-0.137, 0.744, 0.42),
    "same:layer/1": Tail(-0.372, 0.625, 0.548),
    "same:layer/3": Tail(-0.229, 0.581, 0.508),
    "beyond:all/1": Tail(-0.204, 0.69, 0.609),
    "beyond:all/3": Tail(-0.126, 0.488, 0.356),
    "beyond:layer/1": Tail(-0.209, 0.652, 0.45),
    "beyond:layer/3": Tail(-0.126, 0.474, 0.258),
    "score:6": Tail(1.358, 8.209, 3.038),
    "score:5": Tail(0.718, 7.162, 2.483),
    "score:4": Tail(0.592, 6.011, 2.773),
    "score:3": Tail(0.072, 5.349, 2.588),
}

# With fewer signs a score is lower, so that the tail of three is on the safe side.
_FEWEST_SIGNS = 3
# Where one base of rounds was left out of the fit, 1.6 to 1.8 times as many chances were small.
_SAFETY = 2.0
_RARE = 0.05
_RARE_DEVIATIONS = 1.6448536269514722


def chance(key: str, values: Float64) -> Float64:
    """Return how likely an honest participant has so large a value, or a larger one.

    Below the rare value the tail is that of a normal distribution, above it exponential.

    Parameters
    ----------
    key : str
        A name in `TAILS`.
    values : float64 array of shape (n,)
        Robust deviations.
    """
    tail = TAILS[key]
    scaled = (values - tail.median) / (tail.rare - tail.median) * _RARE_DEVIATIONS
    body = [0.5 * math.erfc(min(one, _RARE_DEVIATIONS) / math.sqrt(2)) for one in scaled.tolist()]
    beyond = np.maximum(values - tail.rare, 0.0) / tail.excess
    return np.where(values > tail.rare, _RARE * np.exp(-beyond), np.array(body))


def chance_of_score(signs: int, scores: Float64) -> Float64:
    """Return how likely an honest participant has so large a score, of so many signs."""
    found = chance(f"score:{max(signs, _FEWEST_SIGNS)}", scores)
    return np.minimum(1.0, _SAFETY * found)


def smallest_of(chances: Iterable[Float64]) -> Float64:
    """Return how likely the smallest of several chances is that small (Šidák)."""
    several = np.array(list(chances))
    least = np.minimum(several.min(axis=0), 1 - 2.0**-53)
    found: Float64 = -np.expm1(len(several) * np.log1p(-least))
    return found
