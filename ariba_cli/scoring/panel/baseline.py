"""The tails of a federation's own clean rounds, from the reports on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ariba_cli.base.medians import median_of
from ariba_cli.scoring.panel.fitting import fit_tail
from ariba_cli.scoring.panel.judging import evidence
from ariba_cli.scoring.panel.robust import excess_of
from ariba_cli.scoring.panel.tails import BUILT_IN, OF_STANDING, Calibration, Tail
from ariba_cli.scoring.update_statistics import Float64

# Of fewer honest participants too little is beyond the 95 % point.
FEWEST_PARTICIPANTS = 100
STANDING = "standing"
# An exponential distribution of mean 1, as −ln p has where the built-in tails fit.
_LEAST_EXCESS = 1.0
_LEAST_CHANCE = 1e-300


@dataclass(frozen=True)
class Baseline(Calibration):
    """The built-in tails, with tails behind them that were fitted on rounds of one's own.

    Tails of signs are those of −ln p, with p the chance by the built-in ones; `standing` is the
    tail of the distances by which participants stand out. None is lighter far out than the
    built-in one: a few rounds are not enough to show that.

    Attributes
    ----------
    own : dict of str to Tail
        The tails of one's own by sign, and `standing`.
    reports : tuple of str
        The `result_sha256` of the reports on these rounds.
    """

    own: Mapping[str, Tail]
    reports: tuple[str, ...]

    @classmethod
    def of(cls, own: Mapping[str, Tail], participants: int, reports: tuple[str, ...]) -> "Baseline":
        """Return the baseline that has these tails."""
        return cls(BUILT_IN.tails, BUILT_IN.shape, participants, "baseline", own, reports)

    def of_sign(self, name: str, chances: Float64) -> Float64:
        """Return the chance by a sign among one's own; by the built-in tails if none showed it."""
        tail = self.own.get(name)
        return chances if tail is None else tail.chance(unlikeliness(chances))

    def _tail_of_standing(self, _: int) -> Tail:
        return self.own[STANDING]._replace(shape=self.shape)


def fit_baseline(rounds: Sequence[Mapping[str, Float64]], reports: tuple[str, ...]) -> Baseline:
    """Fit the tails of clean rounds.

    Parameters
    ----------
    rounds : sequence of dict of str to float64 arrays of shape (n,)
        The chances that the built-in tails give n participants, by round and sign.
    reports : tuple of str
        The `result_sha256` of the reports on these rounds.
    """
    shown: dict[str, list[Float64]] = {}
    for signs in rounds:
        for name, chances in signs.items():
            shown.setdefault(name, []).append(unlikeliness(chances))
    own = {name: _no_lighter(fit_tail([np.concatenate(all_)])) for name, all_ in shown.items()}
    standing = [
        _standing({name: own[name].chance(unlikeliness(p)) for name, p in signs.items()})
        for signs in rounds
    ]
    tail = fit_tail([np.concatenate(standing)])
    least = min(one.excess for name, one in BUILT_IN.tails.items() if name.startswith(OF_STANDING))
    own[STANDING] = tail._replace(excess=max(tail.excess, least))
    return Baseline.of(own, sum(map(len, standing)), reports)


def unlikeliness(chances: Float64) -> Float64:
    """Return −ln p."""
    found: Float64 = -np.log(np.maximum(chances, _LEAST_CHANCE))
    return found


def _standing(signs: Mapping[str, Float64]) -> Float64:
    """Return the distance by which everybody in a clean round stands out."""
    scores = evidence(signs)
    found: Float64 = (scores - median_of(scores)) / excess_of(scores)
    return found


def _no_lighter(tail: Tail) -> Tail:
    return tail._replace(excess=max(tail.excess, _LEAST_EXCESS))
