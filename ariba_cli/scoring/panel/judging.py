"""The judgement by all signs together: the evidence against each participant, and its chance."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.base.medians import median_of
from ariba_cli.scoring.panel.groups import Groups
from ariba_cli.scoring.panel.robust import DECIMALS, Kept, excess_of
from ariba_cli.scoring.panel.signs import SIGNS, Reading
from ariba_cli.scoring.panel.tails import BUILT_IN, Calibration, smallest_of
from ariba_cli.scoring.update_statistics import Float64

# From which chance on a sign is evidence.
_EVIDENCE = 0.5
# Lone attackers seldom show it, and the honest with few classes do.
_WEIGHTS = {"push": 0.5}
# Tails are fitted to a few thousand participants, and say no more of these than that. Shares of
# layers say less: whoever finds the one sample that a network does not know moves other layers.
_LEAST_CHANCES = {
    **dict.fromkeys(("along", "group", "beyond", "push", "units"), 1e-6),
    "profile": 1e-4,
}
# From this share of the usual length on an update counts in full.
_FULL_LENGTH = 0.8
# These convict alone where they leave no doubt: where their chances are this many times as small.
_ALONE = ("size", "nonsoftmax")
_DOUBT = 10.0
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
# How far most of a close group stand out where they are not honest: farther where honest groups
# are often as close, since the closest of many groups always differs from the others.
_STANDS_OUT, _STANDS_FAR_OUT = 5.5, 7.0
_UNUSUALLY_CLOSE = 0.05
_MOST_GROUPS = 3

_TINIEST = 1e-300


@dataclass(frozen=True)
class Judgement:
    """The judgement of the panel on n participants.

    Attributes
    ----------
    scores : float64 array of shape (n,)
        The evidence against each.
    standing : float64 array of shape (n,)
        The excess of each score over the median of the usual ones, divided by the mean excess of
        those above it.
    chances : float64 array of shape (n,)
        The chance that an honest participant stands as far out.
    signs : dict of str to float64 array of shape (n,)
        The chance by each sign that could be seen.
    readings : dict of str to tuple of Reading
        The readings from which these chances are made.
    kept : bool array of shape (n,)
        True for the participants who define the usual values.
    by : Calibration
        The tails by which that is judged.
    """

    scores: Float64
    standing: Float64
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
    """Judge everybody against those who look honest, and repeat until these stay the same.

    Parameters
    ----------
    groups : Groups
        The updates of n participants.
    by : Calibration, optional
        The tails of honest participants.
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
    """Return those too unlikely to define the usual values (Benjamini and Hochberg 1995)."""
    n = len(chances)
    allowed = np.maximum(_UNUSUAL, _UNUSUAL_RATE * np.arange(1, n + 1) / n)
    below = np.flatnonzero(np.sort(chances) <= allowed)
    limit = allowed[below[-1]] if len(below) else 0.0
    found: Kept = chances <= limit
    return found


def judged_by(groups: Groups, kept: Kept, by: Calibration) -> Judgement:
    """Judge everybody against those who are kept.

    The evidence of one round cannot be compared with that of another: where participants are
    unlike each other, all have more. So a score is measured by those of the usual participants
    of its round.
    """
    readings = {name: tuple(sign(groups, kept)) for name, sign in SIGNS.items()}
    readings = {name: several for name, several in readings.items() if several}
    parts = part_in_model(groups, kept)
    signs = {name: chance_of_sign(name, several, parts, by) for name, several in readings.items()}
    own = evidence(signs)
    usual, excess = median_of(own[kept]), excess_of(own[kept])
    # A sign that convicts alone counts as much evidence as is as unlikely as it.
    alone = usual + excess * by.standing_at(len(signs), _chance_alone(signs))
    scores = np.where(alone > own, alone + _ORDER * own, own)
    standing = np.round((scores - usual) / excess, DECIMALS)
    chances = by.of_standing(len(signs), standing)
    return Judgement(scores, standing, chances, signs, readings, kept, by)


def part_in_model(groups: Groups, kept: Kept) -> Float64:
    """Return the weight of each update, which is less where it is too short to do much.

    It is (length / (4/5 of the usual length))², and at most 1. The direction of
    a short update says little, too: a network that knows its samples by heart has the direction
    of the few that it does not know.
    """
    usual = median_of(groups.norms[kept])
    found: Float64 = np.minimum(1.0, np.square(groups.norms / max(_FULL_LENGTH * usual, _TINIEST)))
    return found


def chance_of_sign(
    name: str, readings: tuple[Reading, ...], parts: Float64, by: Calibration
) -> Float64:
    """Return the chance by one sign: the smallest of each kind of reading, joined over all kinds.

    Parameters
    ----------
    name : str
        The name of the sign.
    readings : tuple of Reading
        All readings of the sign, of n participants.
    parts : float64 array of shape (n,)
        The powers to which chances are raised, except for the size.
    by : Calibration
        The tails.
    """
    by_tail: dict[str, list[Float64]] = {}
    for reading in readings:
        by_tail.setdefault(reading.tail, []).append(by.chance(reading.tail, reading.values))
    found = np.maximum(smallest_of(map(smallest_of, by_tail.values())), _TINIEST)
    if name != "size":
        found = found**parts
    return np.maximum(by.of_sign(name, found), _LEAST_CHANCES.get(name, _TINIEST))


def evidence(signs: Mapping[str, Float64]) -> Float64:
    """Return the evidence of several signs together, from the chance by each."""
    found = np.zeros(len(next(iter(signs.values()))))
    for name, chances in signs.items():
        own = np.maximum(0.0, np.log(_EVIDENCE / chances))
        found += 2 * _WEIGHTS.get(name, 1.0) * own - _ORDER * np.log(chances)
    return found


def first_null(groups: Groups, by: Calibration) -> Kept:
    """Return everybody, or all but the members of a close group that stands out against them.

    As long as attackers who act together count among the usual, they hide each other.
    """
    everybody = np.ones(groups.participants, dtype=bool)
    several = [one.members for one in groups.close[:_MOST_GROUPS]]
    for apart in [*several, *_together(several, groups.participants)]:
        others = everybody.copy()
        others[apart] = False
        found = judged_by(groups, others, by)
        # Half of them may be somebody else, who comes back when all are measured again.
        closeness = median_of(found.signs["group"][apart]) if "group" in found.signs else 1.0
        limit = _STANDS_OUT if closeness <= _UNUSUALLY_CLOSE else _STANDS_FAR_OUT
        if median_of(found.standing[apart]) > limit:
            return others
    return everybody


def _together(several: Sequence[npt.NDArray[np.intp]], n: int) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the first two groups, and all, as one, of half of n at most: decoys hide others."""
    for number in range(2, len(several) + 1):
        together = np.zeros(n, dtype=bool)
        together[np.concatenate(several[:number])] = True
        found = np.flatnonzero(together)
        if 2 * len(found) <= n:
            yield found


def _chance_alone(signs: Mapping[str, Float64]) -> Float64:
    """Return the chance of the least likely sign that convicts alone (Bonferroni)."""
    alone = np.array([signs[name] for name in _ALONE if name in signs])
    if not len(alone):
        return np.ones(len(next(iter(signs.values()))))
    found: Float64 = np.minimum(1.0, _DOUBT * len(alone) * alone.min(axis=0))
    return np.maximum(found, _LEAST_ALONE)
