"""The signs that speak against each participant, in the units of the measurements."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ariba_cli.scoring.panel.judging import Judgement
from ariba_cli.scoring.panel.robust import Kept
from ariba_cli.scoring.panel.signs import Reading
from ariba_cli.scoring.panel.tails import Calibration
from ariba_cli.scoring.update_statistics import Float64

# Up to this chance a sign is worth a sentence by itself.
_NOTABLE = 0.01
# Where no sign is, and the score is unlikely all the same, these many say it together.
_WEAK_SIGNS = 3
_MOST_ALIKE = 3


class Reason(NamedTuple):
    """A sign against one participant, in the unit of its measurement.

    Attributes
    ----------
    family : str
        The name of the sign.
    layer : str, optional
        The layer in which it is strongest; None for the whole update.
    statistic : str
        The name of the measured statistic.
    value : float
        The value measured of the participant.
    honest_range : tuple of float
        The least and the largest value of the usual participants.
    p_value : float
        The chance that an honest participant shows as much of the sign.
    alike : tuple of int
        The indices of others who share it, the closest first.
    label : int, optional
        The class that the output layer's rows point at.
    """

    family: str
    layer: str | None
    statistic: str
    value: float
    honest_range: tuple[float, float]
    p_value: float
    alike: tuple[int, ...] = ()
    label: int | None = None


def reasons_of(found: Judgement, who: Sequence[int]) -> dict[int, tuple[Reason, ...]]:
    """Return the signs against some participants, the least likely first.

    Parameters
    ----------
    found : Judgement
        The judgement on n participants.
    who : sequence of int
        The participants whose scores are unlikely. Those of them without an unlikely sign get
        their least likely signs together; all others get only their unlikely signs.
    """
    strongest = {name: _strongest(readings, found.by) for name, readings in found.readings.items()}
    reasons = {}
    for one in range(len(found.scores)):
        order = sorted(found.signs, key=lambda name: float(found.signs[name][one]))
        names = [name for name in order if found.signs[name][one] <= _NOTABLE]
        if one in who:
            names = names or order[:_WEAK_SIGNS]
        own = tuple(
            _reason(name, strongest[name][one], float(found.signs[name][one]), one, found.kept)
            for name in names
        )
        if own:
            reasons[one] = own
    return reasons


def _strongest(readings: tuple[Reading, ...], by: Calibration) -> list[Reading]:
    """Return the least likely reading of a sign for each participant."""
    chances = np.array([by.chance(one.tail, one.values) for one in readings])
    return [readings[place] for place in chances.argmin(axis=0)]


def _reason(name: str, reading: Reading, p_value: float, who: int, kept: Kept) -> Reason:
    if reading.measured.ndim == 2:
        return _of_pairs(name, reading, p_value, who, kept)
    usual = reading.measured[kept]
    alike = () if reading.alike is None else reading.alike[who]
    return Reason(
        family=name,
        layer=reading.layer,
        statistic=reading.statistic,
        value=float(reading.measured[who]),
        honest_range=(float(usual.min()), float(usual.max())),
        p_value=p_value,
        alike=tuple(int(one) for one in alike if one != who),
        label=None if reading.labels is None else int(reading.labels[who]),
    )


def _of_pairs(name: str, reading: Reading, p_value: float, who: int, kept: Kept) -> Reason:
    """Return the reason with those who share it: all who are closer than any two usual ones are."""
    usual = _pairs(reading.measured, kept)
    own = reading.measured[who]
    nearest = [int(one) for one in np.argsort(-own, kind="stable") if one != who][:_MOST_ALIKE]
    closer = [one for one in nearest if own[one] > usual[1]]
    return Reason(
        family=name,
        layer=reading.layer,
        statistic=reading.statistic,
        value=float(own[nearest[0]]),
        honest_range=usual,
        p_value=p_value,
        alike=tuple(closer or nearest[:1]),
    )


def _pairs(cosines: Float64, kept: Kept) -> tuple[float, float]:
    inner = cosines[np.ix_(kept, kept)]
    pairs = inner[np.triu_indices(len(inner), 1)]
    return (float(pairs.min()), float(pairs.max())) if len(pairs) else (0.0, 0.0)
