"""The timeline: evidence that adds up over the rounds in which a participant took part."""

from collections.abc import Iterator
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from ariba_cli.base.medians import median_of
from ariba_cli.base.parameters import OF_SIGN, Parameter
from ariba_cli.detectors.declaration import Declaration, HistoryDetector, Scope, Scores
from ariba_cli.scoring.over_rounds import OverRounds
from ariba_cli.scoring.panel.tails import Tail
from ariba_cli.scoring.update_statistics import Float64

# Nobody is judged by fewer rounds, and no window has fewer.
FEWEST_ROUNDS = 4
# Between these a p-value counts as what it is: one certain round is not many, and how
# unsuspicious an update is says nothing.
_LEAST_P, _MOST_P = 1e-6, 0.9
_MOST_LENGTH = 3.0
# How far any two rounds of an honest participant depend on each other; see `_standing`.
_CORRELATION = 0.3
# See `_against_usual`.
_FIRST_PART, _THEN_PART = 0.5, 0.8
_UNUSUAL = 5.0
_REFITS = 12
_LEAST_CHANCE = 1e-12
_DECIMALS = 6

DECLARATION = Declaration(
    name="timeline",
    scope=Scope.HISTORY,
    summary="evidence that adds up over rounds, and updates that are long or short in many of them",
    equation="−ln p, p the smaller chance by two signs: the mean over rounds t of Φ⁻¹(1 − p_t), "
    "and of |ln(‖δ_t‖/median)|, by what others exceed their median by; the largest over windows",
    source="ariba",
    score="evidence over rounds",
    gives_p_values=True,
)


class Sign(NamedTuple):
    """The terms that are added up for one sign.

    Attributes
    ----------
    share : float
        The share of this sign in all participants who are named wrongly.
    floor : float
        The least mean excess of the honest over their median.
    tail : Tail
        The tail of standing of the honest, in the window in which they stand out most.
    """

    share: float
    floor: float
    tail: Tail


# A twentieth of the honest reaches the second number in clean runs of development seeds in which
# participants have unlike data, and fewer do where they have like data; see docs/history.md.
SIGNS = {
    "evidence": Sign(0.8, 0.2, Tail(0.0, 3.2, 0.8)),
    "length": Sign(0.2, 0.1, Tail(0.0, 2.4, 0.8)),
}


def timeline_scores(rounds: OverRounds) -> Scores:
    """Return the evidence of all rounds against each, and its chance among the honest.

    The scores of one honest participant depend on each other, so that p-values of rounds may
    not be multiplied. The sum is compared with the sums of all other participants instead.
    """
    chances = {
        name: SIGNS[name].tail.chance(standing(terms, SIGNS[name].floor))
        for name, terms in terms_of(rounds).items()
    }
    weighted = np.array([own / SIGNS[name].share for name, own in chances.items()])
    p_values: Float64 = np.asarray(weighted.min(axis=0).clip(_LEAST_CHANCE, 1.0))
    evidence: Float64 = np.asarray(np.round(-np.log(p_values), _DECIMALS))
    details: dict[str, list[Parameter]] = {
        f"{OF_SIGN}{name}": list(map(_short, own.tolist())) for name, own in chances.items()
    }
    return Scores(
        total=evidence,
        by_layer={},
        parameters={"signs": ", ".join(chances)},
        details=details,
        p_values=list(map(_short, p_values.tolist())),
    )


def terms_of(rounds: OverRounds) -> dict[str, Float64]:
    """Return the terms of each round by sign, of shape (rounds, n); NaN for those who were away."""
    lengths = np.abs(np.log(np.maximum(rounds.lengths, np.exp(-_MOST_LENGTH))))
    return {
        "evidence": _deviates(rounds.p_values),
        "length": np.minimum(lengths, _MOST_LENGTH),
    }


def windows(rounds: int) -> Iterator[slice]:
    """Yield all rounds, and the last half, quarter, … of them: attacks begin at any time.

    >>> list(windows(12))
    [slice(0, 12, None), slice(6, 12, None)]
    """
    length = rounds
    while length >= FEWEST_ROUNDS:
        yield slice(rounds - length, rounds)
        length = (length + 1) // 2


def standing(terms: Float64, floor: float) -> Float64:
    """Return the standing of each in the window in which it stands out most, of shape (n,).

    It is −∞ for participants who took part in too few rounds.

    Parameters
    ----------
    terms : float64 array of shape (rounds, n)
        The terms that each round adds; NaN for those who were away.
    floor : float
        The least mean excess; see `Sign`.
    """
    found = np.full(terms.shape[1], -np.inf)
    for window in windows(len(terms)):
        found = np.maximum(found, _standing(terms[window], floor))
    return found


def _standing(terms: Float64, floor: float) -> Float64:
    """Return the standing of each in one window.

    The sum over T rounds is divided by √(T·(1 + (T − 1)·r)), its deviation where any two rounds
    have the correlation r, so that those who took part in few can be compared with the others.
    """
    here = np.isfinite(terms)
    usual = np.array([median_of(row[np.isfinite(row)]) for row in terms])
    count = here.sum(axis=0)
    found = np.full(terms.shape[1], -np.inf)
    judged = count >= FEWEST_ROUNDS
    if judged.any():
        sums = np.where(here, terms - usual[:, None], 0.0).sum(axis=0)[judged]
        # In the unit of a mean over as many rounds as those have who took part in most.
        most = count.max()
        means = sums / _deviation(count[judged]) * (_deviation(most) / most)
        found[judged] = _against_usual(means, floor)
    return found


def _deviation(count: "Float64 | np.int64") -> Float64:
    return np.asarray(np.sqrt(count * (1 + (count - 1) * _CORRELATION)))


def _against_usual(values: Float64, floor: float) -> Float64:
    """Return the excess of each over the median, divided by the mean excess of the usual.

    Participants who stand out far do not count among the usual. They are found again until they
    stay the same. At first half of those above the median may be such, and then a fifth: that fits
    the honest better, but attackers who still count among the usual would hide themselves in it.
    """
    kept = np.ones(len(values), dtype=bool)
    part = _FIRST_PART
    for _ in range(_REFITS):
        median = median_of(values[kept])
        scale = max(_mean_excess(values[kept] - median, part), floor)
        found: Float64 = np.round((values - median) / scale, _DECIMALS)
        usual = found <= _UNUSUAL
        same = np.array_equal(usual, kept)
        if (same and part == _THEN_PART) or usual.sum() <= len(values) // 2:
            break
        kept, part = usual, _THEN_PART if same else part
    return found


def _mean_excess(apart: Float64, part: float) -> float:
    """Return the mean of the values above zero, under an exponential distribution.

    Beyond a part of them they are counted as if they were censored: nobody knows whether these
    are honest. (Maximum likelihood: Epstein and Sobel, Life Testing, JASA 1953.)
    """
    above = np.sort(apart[apart > 0])
    if not len(above):
        return 0.0
    seen = int(np.ceil(part * len(above)))
    return float(above[:seen].sum() + (len(above) - seen) * above[seen - 1]) / seen


def _deviates(p_values: Float64) -> Float64:
    """Return Φ⁻¹(1 − p), the value of a normal statistic that has such a chance."""
    inverse = NormalDist().inv_cdf
    found = [
        one if np.isnan(one) else -inverse(min(max(one, _LEAST_P), _MOST_P))
        for one in p_values.ravel().tolist()
    ]
    return np.array(found).reshape(p_values.shape)


def _short(chance: float) -> float:
    return float(f"{chance:.6g}")


FAMILY = HistoryDetector(DECLARATION, timeline_scores)
