"""The onset of the attack of a participant whom a history names."""

import numpy as np

from ariba_cli.base.medians import median_of
from ariba_cli.detectors.timeline import terms_of
from ariba_cli.scoring.over_rounds import OverRounds
from ariba_cli.scoring.panel.robust import Kept
from ariba_cli.scoring.update_statistics import Float64

# A rise that is smaller, in deviations, is none: it has been so since the first round.
_LEAST_RISE = 3.0
_MOST_SHOWN = 5.0
_LEAST_SPREAD = 0.05
_MAD_TO_DEVIATION = 1.4826


def began_at(rounds: OverRounds, place: int, usual: Kept) -> int:
    """Return the index of the round in which it began.

    It is the round from which on the values of a participant rise most. With the means x̄ and
    x̄' of a and b rounds before it and from it on, √(a·b/(a + b))·(x̄' − x̄) is largest there, the
    likelihood ratio of a rise (Hinkley, Inference about the change-point, Biometrika 1970).

    Parameters
    ----------
    rounds : OverRounds
        All rounds.
    place : int
        The index of the participant.
    usual : bool array of shape (n,)
        True for the participants who are not named.
    """
    there = np.flatnonzero(np.isfinite(rounds.p_values[:, place]))
    terms = terms_of(rounds)
    lengths = _deviations(terms["length"], place, usual)
    shown = np.maximum(terms["evidence"][:, place], lengths)[there].clip(max=_MOST_SHOWN)
    rises = [_rise(shown, at) for at in range(1, len(shown))]
    if not rises or max(rises) < _LEAST_RISE:
        return int(there[0])
    return int(there[1 + int(np.argmax(rises))])


def _rise(shown: Float64, at: int) -> float:
    before, after = shown[:at], shown[at:]
    weight = np.sqrt(len(before) * len(after) / len(shown))
    return float(weight * (after.mean() - before.mean()))


def _deviations(terms: Float64, place: int, usual: Kept) -> Float64:
    """Return one's deviation from the median of the usual by round, in robust deviations."""
    found = np.zeros(len(terms))
    for index, row in enumerate(terms):
        others = row[usual & np.isfinite(row)]
        if len(others):
            median = median_of(others)
            spread = _MAD_TO_DEVIATION * median_of(np.abs(others - median))
            found[index] = (row[place] - median) / max(spread, _LEAST_SPREAD)
    return found
