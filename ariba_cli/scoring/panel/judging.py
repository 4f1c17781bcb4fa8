"""All signs together: the evidence against each participant, and its chance among the honest."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ariba_cli.scoring.panel.groups import Groups, norms
from ariba_cli.scoring.panel.pairs import pair_cosines
from ariba_cli.scoring.panel.robust import Kept
from ariba_cli.scoring.panel.signs import SIGNS, Reading
from ariba_cli.scoring.panel.tails import chance, chance_of_score, smallest_of
from ariba_cli.scoring.products import exact_square
from ariba_cli.scoring.update_statistics import Float64

# From which chance on a sign is evidence.
_EVIDENCE_FROM = {"size": 0.05}
_EVIDENCE = 0.5
_WEIGHTS = {"push": 1.5}
# One of these alone never convicts, and two can.
_LEAST_CHANCES = {"push": 1e-3, "beyond": 1e-3, "along": 1e-3}
# Orders those against whom there is no evidence.
_ORDER = 1e-3

# Who is so unlikely has no part in what is usual.
_UNUSUAL = 2e-3
_MOST_REFITS = 6
# The evidence that the smaller of two groups has against itself where one of them is not honest.
_GROUP, _GROUP_BY_N = 14.0, 500.0
_SMALLEST_GROUP = 3
_SQUARINGS = 12


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
    """

    scores: Float64
    chances: Float64
    signs: Mapping[str, Float64]
    readings: Mapping[str, tuple[Reading, ...]]
    kept: Kept

    @property
    def similarity(self) -> Float64 | None:
        """The cosine of each pair of updates, where it was measured."""
        found = (one for one in self.readings.get("same", ()) if one.layer is None)
        return next((one.measured for one in found), None)


def judge(groups: Groups) -> Judgement:
    """Judge everybody against those who look honest, and again until these stay the same."""
    n = groups.participants
    kept, seen = first_null(groups), set[bytes]()
    for _ in range(_MOST_REFITS):
        found = judged_by(groups, kept)
        usual = found.chances > _UNUSUAL
        if usual.sum() < n // 2 + 1:
            # Never fewer than a majority say what is usual.
            usual = np.zeros(n, dtype=bool)
            usual[np.argsort(found.scores, kind="stable")[: n // 2 + 1]] = True
        if np.array_equal(usual, kept) or usual.tobytes() in seen:
            break
        seen.add(usual.tobytes())
        kept = usual
    return found


def judged_by(groups: Groups, kept: Kept) -> Judgement:
    """Judge everybody against those who are kept."""
    readings = {name: tuple(sign(groups, kept)) for name, sign in SIGNS.items()}
    readings = {name: several for name, several in readings.items() if several}
    signs = {name: _chance(name, several) for name, several in readings.items()}
    scores = np.zeros(groups.participants)
    for name, chances in signs.items():
        evidence = np.maximum(0.0, np.log(_EVIDENCE_FROM.get(name, _EVIDENCE) / chances))
        scores += 2 * _WEIGHTS.get(name, 1.0) * evidence - _ORDER * np.log(chances)
    chances = chance_of_score(len(signs), scores)
    return Judgement(scores, chances, signs, readings, kept)


def first_null(groups: Groups) -> Kept:
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
    evidence = 0.0
    for name, chances in judged_by(groups, larger).signs.items():
        median = float(np.median(chances[smaller]))
        evidence += 2 * max(0.0, math.log(_EVIDENCE_FROM.get(name, _EVIDENCE) / median))
    return larger if evidence > _GROUP + _GROUP_BY_N / n else everybody


def _chance(name: str, readings: tuple[Reading, ...]) -> Float64:
    """Return the chance by one sign: of each kind of reading the smallest, and of all kinds."""
    by_tail: dict[str, list[Float64]] = {}
    for reading in readings:
        by_tail.setdefault(reading.tail, []).append(chance(reading.tail, reading.values))
    found = smallest_of(map(smallest_of, by_tail.values()))
    return np.maximum(found, _LEAST_CHANCES.get(name, 1e-300))


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
