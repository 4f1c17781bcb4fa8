"""All signs together: the evidence against each participant, and its chance among the honest."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ariba_cli.native.products import exact_square
from ariba_cli.scoring.panel.groups import Groups, norms
from ariba_cli.scoring.panel.pairs import pair_cosines
from ariba_cli.scoring.panel.robust import Kept
from ariba_cli.scoring.panel.signs import SIGNS, Reading
from ariba_cli.scoring.panel.tails import BUILT_IN, Calibration, smallest_of
from ariba_cli.scoring.update_statistics import Float64

# From which chance on a sign is evidence.
_EVIDENCE = 0.5
# Lone attackers seldom show it, and the honest with few classes do.
_WEIGHTS = {"push": 0.5}
# Tails are fitted to a few thousand participants, and say no more of these than that.
_LEAST_CHANCES = dict.fromkeys(("push", "beyond", "along", "profile", "units"), 1e-6)
# These convict alone where they leave no doubt. Shares do not: in a network that has learned its
# samples by heart, who finds one that it has not moves other layers than the rest.
_ALONE = ("size", "nonsoftmax")
# A smaller chance says no more, and the order is by all signs then.
_LEAST_ALONE = 1e-12
# Orders those against whom there is no evidence.
_ORDER = 1e-3

# Who is so unlikely has no part in what is usual; or many together, with so many wrongly.
_UNUSUAL = 2e-3
_UNUSUAL_RATE = 0.1
# Who has no part comes back where it looks quite usual: many together hide each other else.
_BACK = 0.1
_MOST_REFITS = 6
# The evidence that the smaller of two groups has against itself where one of them is not honest.
_GROUP = 12.0
_SMALLEST_GROUP = 3
_SQUARINGS = 12
_TINIEST = 1e-300


@dataclass(frozen=True)
class Judgement:
    """What the panel says of n participants.

    Attributes
    ----------
    scores : float64 array of shape (n,)
        The evidence against each.
    chances : float64 array of shape (n,)
        How likely an honest participant has as much.
    signs : dict of str to float64 array of shape (n,)
        The chance by each sign that could be seen.
    readings : dict of str to tuple of Reading
        What they are made of.
    kept : bool array of shape (n,)
        Who says what is usual.
    by : Calibration
        The tails by which that is judged.
    """

    scores: Float64
    chances: Float64
    signs: Mapping[str, Float64]
    readings: Mapping[str, tuple[Reading, ...]]
    kept: Kept
    by: Calibration

    @property
    def similarity(self) -> Float64 | None:
        """The cosine of each pair of updates, where it was measured."""
        found = (one for one in self.readings.get("same", ()) if one.layer is None)
        return next((one.measured for one in found), None)


def judge(groups: Groups, by: Calibration = BUILT_IN) -> Judgement:
    """Judge everybody against those who look honest, and again until these stay the same.

    Parameters
    ----------
    groups : Groups
        The updates of n participants.
    by : Calibration, optional
        What the honest show.
    """
    n = groups.participants
    kept, seen = first_null(groups, by), set[bytes]()
    for _ in range(_MOST_REFITS):
        found = judged_by(groups, kept, by)
        usual = np.where(kept, ~unusual(found.chances), found.chances > _BACK)
        if usual.sum() < n // 2 + 1:
            # Never fewer than a majority say what is usual.
            usual = np.zeros(n, dtype=bool)
            usual[np.argsort(found.scores, kind="stable")[: n // 2 + 1]] = True
        if np.array_equal(usual, kept) or usual.tobytes() in seen:
            break
        seen.add(usual.tobytes())
        kept = usual
    return found


def unusual(chances: Float64) -> Kept:
    """Return who is too unlikely to say what is usual (Benjamini and Hochberg 1995)."""
    n = len(chances)
    allowed = np.maximum(_UNUSUAL, _UNUSUAL_RATE * np.arange(1, n + 1) / n)
    below = np.flatnonzero(np.sort(chances) <= allowed)
    limit = allowed[below[-1]] if len(below) else 0.0
    found: Kept = chances <= limit
    return found


def judged_by(groups: Groups, kept: Kept, by: Calibration) -> Judgement:
    """Judge everybody against those who are kept."""
    readings = {name: tuple(sign(groups, kept)) for name, sign in SIGNS.items()}
    readings = {name: several for name, several in readings.items() if several}
    signs = {
        name: tempered(chance_of_sign(name, several, by), kept)
        for name, several in readings.items()
    }
    # A sign that convicts alone counts as much evidence as is as unlikely as it.
    alone = by.score_at(len(signs), _chance_alone(signs))
    own = evidence(signs)
    scores = np.where(alone > own, alone + _ORDER * own, own)
    chances = by.made_safe(tempered(by.of_score(len(signs), scores), kept))
    return Judgement(scores, chances, signs, readings, kept, by)


def tempered(chances: Float64, kept: Kept) -> Float64:
    """Return chances that are less small where the usual of a round show more than they should.

    −ln p is exponential of mean 1 among the honest of the calibration, with median ln 2. It is
    divided by how many times that the median of those who are kept is, where it is more (an
    empirical null: Efron, JASA 2004).
    """
    unlikeliness = -np.log(np.maximum(chances, _TINIEST))
    times = float(np.median(unlikeliness[kept])) / math.log(2)
    found: Float64 = np.exp(-unlikeliness / max(1.0, round(times, 6)))
    return found


def chance_of_sign(name: str, readings: tuple[Reading, ...], by: Calibration) -> Float64:
    """Return the chance by one sign: of each kind of reading the smallest, and of all kinds."""
    by_tail: dict[str, list[Float64]] = {}
    for reading in readings:
        by_tail.setdefault(reading.tail, []).append(by.chance(reading.tail, reading.values))
    found = by.of_sign(name, smallest_of(map(smallest_of, by_tail.values())))
    return np.maximum(found, _LEAST_CHANCES.get(name, 1e-300))


def evidence(signs: Mapping[str, Float64]) -> Float64:
    """Return the evidence of several signs together, from the chance by each."""
    found = np.zeros(len(next(iter(signs.values()))))
    for name, chances in signs.items():
        own = np.maximum(0.0, np.log(_EVIDENCE / chances))
        found += 2 * _WEIGHTS.get(name, 1.0) * own - _ORDER * np.log(chances)
    return found


def first_null(groups: Groups, by: Calibration) -> Kept:
    """Return everybody, or the larger of two groups if the smaller stands out against it.

    The groups are the best split along the first principal component of the cosines.
    """
    n, everybody = groups.participants, np.ones(groups.participants, dtype=bool)
    if n < 2 * _SMALLEST_GROUP + 1 or not groups.deep:
        return everybody
    units = [own.gram / norms(own) / norms(own)[:, None] for own in groups.deep.values()]
    component = _first_component(pair_cosines(units, everybody))
    order = np.argsort(component, kind="stable")
    values = component[order]
    costs = [_spread(values[:cut]) + _spread(values[cut:]) for cut in range(2, n - 1)]
    cut = int(np.argmin(costs)) + 2
    smaller = order[:cut] if 2 * cut < n else order[cut:]
    if 2 * len(smaller) >= n or len(smaller) < _SMALLEST_GROUP:
        return everybody
    larger = everybody.copy()
    larger[smaller] = False
    signs = judged_by(groups, larger, by).signs
    medians = {name: np.median(chances[smaller], keepdims=True) for name, chances in signs.items()}
    against = float(evidence(medians)[0])
    return larger if against > _GROUP else everybody


def _chance_alone(signs: Mapping[str, Float64]) -> Float64:
    """Return the chance of the least likely sign that convicts alone (Bonferroni)."""
    alone = np.array([signs[name] for name in _ALONE if name in signs])
    if not len(alone):
        return np.ones(len(next(iter(signs.values()))))
    found: Float64 = np.minimum(1.0, len(alone) * alone.min(axis=0))
    return np.maximum(found, _LEAST_ALONE)


def _first_component(matrix: Float64) -> Float64:
    """Return the first eigenvector, rounded, by products that are the same on every machine."""
    power = matrix
    for _ in range(_SQUARINGS):
        largest = float(np.abs(power).max())
        if largest == 0:
            break
        power = exact_square(np.ldexp(power, -int(np.frexp(largest)[1])))
    column = power[:, int(np.diagonal(power).argmax())]
    largest = float(np.abs(column).max())
    return np.round(column / largest, 9) if largest > 0 else column


def _spread(values: Float64) -> float:
    return float(np.square(values - values.mean()).sum())
