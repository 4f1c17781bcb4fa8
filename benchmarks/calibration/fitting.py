"""From what honest participants show to tails, and how wrong these are for other rounds."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ariba_cli.scoring.panel.fitting import (
    CHECKED,
    fit_tail,
    fit_tail_of_standing,
    told_by,
)
from ariba_cli.scoring.panel.judging import Judgement, judge, judged_by
from ariba_cli.scoring.panel.signs import SIGNS
from ariba_cli.scoring.panel.tails import OF_STANDING, Calibration, Tail
from ariba_cli.scoring.update_statistics import Float64
from benchmarks.calibration.readings import CleanRound

LEVELS = (0.01, 0.05)

# The values of each base by the name of their tail.
Values = Mapping[str, Mapping[str, Float64]]


@dataclass(frozen=True)
class Fit:
    """What the clean rounds come to.

    Attributes
    ----------
    calibration : Calibration
        Of all of them.
    wrong : dict of str to dict of str to float
        By tail, and `verdict`, and by base that was left out of the fit: how many times as many of
        its participants as should be are beyond a chance of a hundredth.
    verdicts_wrong : dict of str to dict of str to float
        The same of what the panel says in the end, by chance in `CHECKED`, of all bases together,
        where each base was left out, and where all bases of its network were.
    naming : dict of str to float
        By level, the share of the rounds that name anybody, where their base was left out.
    """

    calibration: Calibration
    wrong: Mapping[str, Mapping[str, float]]
    verdicts_wrong: Mapping[str, Mapping[str, float]]
    naming: Mapping[str, float]


@dataclass(frozen=True)
class _LeftOut:
    """What fits without a base, or without several, make of it.

    Attributes
    ----------
    tails : dict of str to dict of str to Tail
        By base, those that have not seen it.
    standing : Values
        By these.
    chances : sequence of float64 arrays
        What the panel says in the end of those who are in each round, by tails of signs and of
        standing that have not seen its base.
    beyond : dict of str to float64 array
        The same by base.
    """

    tails: Mapping[str, Mapping[str, Tail]]
    standing: Values
    chances: Sequence[Float64]
    beyond: Mapping[str, Float64]


def fitted(rounds: Sequence[CleanRound]) -> Fit:
    """Fit all tails, and hold each base against a fit of the others.

    Chances of signs come from a fit without the base; so does the standing that its
    tails are fitted on, or it would know its own round. Chances of standing are made as much
    larger as they have to be for bases that a fit has not seen.
    """
    names = {one.base.name: one.base.network for one in rounds}
    values = _by_tail((one.base.name, one.readings) for one in rounds)
    base = _left_out(rounds, values, {name: frozenset({name}) for name in names})
    network = _left_out(
        rounds,
        values,
        {name: frozenset(one for one in names if names[one] == names[name]) for name in names},
    )
    tails = {**fit_tails(values), **fit_tails(base.standing)}
    safety = _safety(base.chances)
    return Fit(
        Calibration(tails, safety, sum(one.groups.participants for one in rounds), "built-in"),
        {
            **{key: _ratios(key, own, base.tails) for key, own in values.items()},
            "verdict": {
                name: _times_too_many([own], CHECKED[0]) for name, own in base.beyond.items()
            },
        },
        {"base": _too_many(base.beyond), "network": _too_many(network.beyond)},
        {f"{alpha:g}": _naming(base.chances, safety, alpha) for alpha in LEVELS},
    )


def _left_out(
    rounds: Sequence[CleanRound], values: Values, without: Mapping[str, frozenset[str]]
) -> _LeftOut:
    """Fit without what is to be left out for each base."""
    tails = {name: fit_tails(values, left) for name, left in without.items()}
    judged = _judged(rounds, {name: _plain(own) for name, own in tails.items()}, refit=False)
    # Whom a judgement takes for usual depends on the tails of standing.
    judged = _judged(rounds, _with_standing(tails, _standing(rounds, judged), without), refit=True)
    standing = _standing(rounds, judged)
    judged = _judged(rounds, _with_standing(tails, standing, without), refit=True)
    chances = [found.chances for one, found in zip(rounds, judged, strict=True)]
    beyond = _by_tail(
        (one.base.name, {"": [own]}) for one, own in zip(rounds, chances, strict=True)
    )
    return _LeftOut(tails, standing, chances, beyond[""])


def _with_standing(
    tails: Mapping[str, Mapping[str, Tail]],
    standing: Values,
    without: Mapping[str, frozenset[str]],
) -> dict[str, Calibration]:
    return {
        name: Calibration({**own, **fit_tails(standing, without[name])}, 1.0, 0, "built-in")
        for name, own in tails.items()
    }


def fit_tails(values: Values, left: Collection[str] = ()) -> dict[str, Tail]:
    """Return the tails of all bases but some, each base with the same weight."""
    found = {}
    for key, own in values.items():
        others = {name: one for name, one in own.items() if name not in left}
        # What these alone show can be fitted on nothing else.
        fit = fit_tail_of_standing if key.startswith(OF_STANDING) else fit_tail
        found[key] = fit(list((others or own).values()))
    return found


def _by_tail(shown: Iterable[tuple[str, Mapping[str, Sequence[Float64]]]]) -> Values:
    found: dict[str, dict[str, list[Float64]]] = {}
    for name, by_tail in shown:
        for key, several in by_tail.items():
            found.setdefault(key, {}).setdefault(name, []).extend(several)
    return {
        key: {name: np.concatenate(several) for name, several in sorted(own.items())}
        for key, own in sorted(found.items())
    }


def _plain(tails: Mapping[str, Tail]) -> Calibration:
    """Return tails of signs with tails of standing that say nothing, for scores alone."""
    nothing = {f"{OF_STANDING}{len(SIGNS)}": Tail(0.0, 1.0, 1.0)}
    return Calibration({**tails, **nothing}, 1.0, 0, "built-in")


def _judged(
    rounds: Sequence[CleanRound], by: Mapping[str, Calibration], *, refit: bool
) -> list[Judgement]:
    """Judge every round by the calibration that has not seen its base."""
    found = []
    for one in rounds:
        own, groups = by[one.base.name], one.groups
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found.append(
                judge(groups, own)
                if refit
                else judged_by(groups, np.ones(groups.participants, dtype=bool), own)
            )
    return found


def _standing(rounds: Sequence[CleanRound], judged: Sequence[Judgement]) -> Values:
    return _by_tail(
        (one.base.name, {f"{OF_STANDING}{len(found.signs)}": [found.standing]})
        for one, found in zip(rounds, judged, strict=True)
    )


def chances_of(one: CleanRound, by: Calibration) -> Float64:
    """Return what the panel says of everybody in a round."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return judge(one.groups, by).chances


def naming(chances: Float64, alpha: float) -> bool:
    """Return whether the level names anybody (Benjamini and Hochberg)."""
    n = len(chances)
    return bool((np.sort(chances) <= alpha * np.arange(1, n + 1) / n).any())


def _naming(rounds: Sequence[Float64], safety: float, alpha: float) -> float:
    """Return the share of rounds in which the level names anybody."""
    return round(float(np.mean([naming(safety * own, alpha) for own in rounds])), 4)


def _ratios(
    key: str, values: Mapping[str, Float64], without: Mapping[str, Mapping[str, Tail]]
) -> dict[str, float]:
    found = {}
    for name, own in values.items():
        found[name] = _times_too_many([without[name][key].chance(own)], CHECKED[0])
    return found


def _times_too_many(bases: Iterable[Float64], alpha: float) -> float:
    """Return how many times as many chances as should be are at most alpha, over the bases."""
    return float(np.mean([np.mean(own <= alpha) for own in bases])) / alpha


def _too_many(beyond: Mapping[str, Float64]) -> dict[str, float]:
    participants = sum(map(len, beyond.values()))
    return {
        f"{alpha:g}": round(_times_too_many(beyond.values(), alpha), 2)
        for alpha in told_by(participants)
    }


def _safety(rounds: Sequence[Float64]) -> float:
    """Return by how much chances must grow so that no level names somebody too often, rounded up.

    A level names somebody where the least of p_(i)·n/i is at most as large. The share of the
    rounds in which that happens must be no more than the level itself.
    """
    least = sorted(_least_adjusted(own) for own in rounds)
    needed = [alpha / least[int(alpha * len(least))] for alpha in LEVELS]
    return math.ceil(10 * max(1.0, *needed)) / 10


def _least_adjusted(chances: Float64) -> float:
    """Return from which level on somebody is named (Benjamini and Hochberg)."""
    n = len(chances)
    return float((np.sort(chances) * n / np.arange(1, n + 1)).min())
