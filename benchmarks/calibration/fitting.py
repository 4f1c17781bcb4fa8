"""The fit of tails to the values that honest participants show, and its error on other rounds."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ariba_cli.scoring.panel.fitting import (
    CHECKED,
    fit_tail,
    told_by,
)
from ariba_cli.scoring.panel.judging import Judgement, judge, judged_by
from ariba_cli.scoring.panel.signs import SIGNS
from ariba_cli.scoring.panel.tails import OF_STANDING, Calibration, Tail
from ariba_cli.scoring.update_statistics import Float64
from benchmarks.calibration.readings import CleanRound

LEVELS = (0.01, 0.05)
# Of a heavier one the mean would hardly be known.
_SHAPES = tuple(step / 20 for step in range(13))

# The values of each base by the name of their tail.
Values = Mapping[str, Mapping[str, Float64]]


@dataclass(frozen=True)
class Fit:
    """The result of a fit on clean rounds.

    Attributes
    ----------
    calibration : Calibration
        The calibration by all of them.
    wrong : dict of str to dict of str to float
        The ratio of the participants of a base that are beyond a chance of a hundredth to those
        that should be, by tail, and `verdict`, and by the base that was left out of the fit.
    verdicts_wrong : dict of str to dict of str to float
        The same ratio for the final chances of the panel, by chance in `CHECKED`, of all bases
        together, where each base was left out, and where all bases of its network were.
    naming : dict of str to float
        The share of the rounds that name anybody, by level, where their base was left out.
    """

    calibration: Calibration
    wrong: Mapping[str, Mapping[str, float]]
    verdicts_wrong: Mapping[str, Mapping[str, float]]
    naming: Mapping[str, float]


@dataclass(frozen=True)
class _LeftOut:
    """The results of fits without a base, or without several.

    Attributes
    ----------
    tails : dict of str to dict of str to Tail
        The tails by base, fitted without it.
    standing : Values
        The standing by these tails.
    judged : sequence of Judgement
        The panel's judgement of each round, by tails of signs and of standing that have not seen
        its base.
    """

    tails: Mapping[str, Mapping[str, Tail]]
    standing: Values
    judged: Sequence[Judgement]

    def chances(self, shape: float) -> list[Float64]:
        """Return the final chances of the panel, where standing has tails of such a shape."""
        return [
            replace(one.by, shape=shape).of_standing(len(one.signs), one.standing)
            for one in self.judged
        ]


def fitted(rounds: Sequence[CleanRound]) -> Fit:
    """Fit all tails, and check each base with a fit of the others.

    Chances of signs come from a fit without the base; so does the standing that its
    tails are fitted on, or it would know its own round. Tails of standing are as much heavier
    than exponential as they have to be so that no level names somebody in more of the rounds
    than it says, where the fit has not seen their base.
    """
    names = {one.base.name: one.base.network for one in rounds}
    values = _by_tail((one.base.name, one.readings) for one in rounds)
    base = _left_out(rounds, values, {name: frozenset({name}) for name in names})
    network = _left_out(
        rounds,
        values,
        {name: frozenset(one for one in names if names[one] == names[name]) for name in names},
    )
    shape = _shape(base)
    of_rounds = base.chances(shape)
    by_base, by_network = (_by_base(rounds, own.chances(shape)) for own in (base, network))
    participants = sum(one.groups.participants for one in rounds)
    tails = {**fit_tails(values), **fit_tails(base.standing)}
    return Fit(
        Calibration(tails, shape, participants, "built-in"),
        {
            **{key: _ratios(key, own, base.tails) for key, own in values.items()},
            "verdict": {name: _times_too_many([own], CHECKED[0]) for name, own in by_base.items()},
        },
        {"base": _too_many(by_base), "network": _too_many(by_network)},
        {f"{alpha:g}": round(_naming(of_rounds, alpha), 4) for alpha in LEVELS},
    )


def _left_out(
    rounds: Sequence[CleanRound], values: Values, without: Mapping[str, frozenset[str]]
) -> _LeftOut:
    """Fit without the bases that are to be left out for each base."""
    tails = {name: fit_tails(values, left) for name, left in without.items()}
    judged = _judged(rounds, {name: _plain(own) for name, own in tails.items()}, refit=False)
    # Whom a judgement takes for usual depends on the tails of standing.
    judged = _judged(rounds, _with_standing(tails, _standing(rounds, judged), without), refit=True)
    standing = _standing(rounds, judged)
    judged = _judged(rounds, _with_standing(tails, standing, without), refit=True)
    return _LeftOut(tails, standing, judged)


def _with_standing(
    tails: Mapping[str, Mapping[str, Tail]],
    standing: Values,
    without: Mapping[str, frozenset[str]],
) -> dict[str, Calibration]:
    return {
        name: Calibration({**own, **fit_tails(standing, without[name])}, 0.0, 0, "built-in")
        for name, own in tails.items()
    }


def fit_tails(values: Values, left: Collection[str] = ()) -> dict[str, Tail]:
    """Return the tails of all bases but some, each base with the same weight."""
    found = {}
    for key, own in values.items():
        others = {name: one for name, one in own.items() if name not in left}
        # What these alone show can be fitted on nothing else.
        found[key] = fit_tail(list((others or own).values()))
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
    return Calibration({**tails, **nothing}, 0.0, 0, "built-in")


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
    """Return the panel's chance for every participant of a round."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return judge(one.groups, by).chances


def naming(chances: Float64, alpha: float) -> bool:
    """Return True if the level names anybody (Benjamini and Hochberg)."""
    n = len(chances)
    return bool((np.sort(chances) <= alpha * np.arange(1, n + 1) / n).any())


def _naming(rounds: Sequence[Float64], alpha: float) -> float:
    """Return the share of rounds in which the level names anybody."""
    return float(np.mean([naming(own, alpha) for own in rounds]))


def _shape(found: _LeftOut) -> float:
    """Return the least shape with which no level names somebody in too many rounds."""
    for shape in _SHAPES:
        chances = found.chances(shape)
        if all(_naming(chances, alpha) <= alpha for alpha in LEVELS):
            break
    return shape


def _by_base(rounds: Sequence[CleanRound], chances: Sequence[Float64]) -> Mapping[str, Float64]:
    pairs = zip(rounds, chances, strict=True)
    return _by_tail((one.base.name, {"": [own]}) for one, own in pairs)[""]


def _ratios(
    key: str, values: Mapping[str, Float64], without: Mapping[str, Mapping[str, Tail]]
) -> dict[str, float]:
    found = {}
    for name, own in values.items():
        found[name] = _times_too_many([without[name][key].chance(own)], CHECKED[0])
    return found


def _times_too_many(bases: Iterable[Float64], alpha: float) -> float:
    """Return the ratio of chances of at most alpha to those that should be, over the bases."""
    return float(np.mean([np.mean(own <= alpha) for own in bases])) / alpha


def _too_many(beyond: Mapping[str, Float64]) -> dict[str, float]:
    participants = sum(map(len, beyond.values()))
    return {
        f"{alpha:g}": round(_times_too_many(beyond.values(), alpha), 2)
        for alpha in told_by(participants)
    }
