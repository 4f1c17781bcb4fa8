"""The verdict of a history on a run, against the truth, beside those on its single rounds."""

from collections.abc import Collection, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import ariba_cli as ariba
from ariba_cli.verdicts.ranked import Ranked

_DECIMALS = 4


def measured(rounds: Sequence[Path], compromised: Collection[str]) -> dict[str, Any]:
    """Return the figures of a run.

    Parameters
    ----------
    rounds : sequence of Path
        The rounds, in order.
    compromised : collection of str
        The ids of the compromised, in all of them; empty for a clean run.

    Returns
    -------
    dict
        `found` and `false`, the number of both kinds that the history names, and with somebody
        compromised its `auc`, that of `foolsgold-memory` as `auc_foolsgold`, and the number of
        rounds by which `began` is wrong for each who is found; for rounds by themselves
        `auc_alone`, all of them, and `found_alone` and `false_alone`, as means over rounds.
    """
    history = ariba.RunningHistory()
    alone = [ariba.audit(path, history=history) for path in rounds]
    found = history.verdict()
    named = {one.id for one in found.suspects}
    bad = set(compromised)
    figures: dict[str, Any] = {
        "rounds": len(rounds),
        "participants": len(found.ranking),
        "found": len(named & bad),
        "false": len(named - bad),
        "found_alone": _mean(len(_named(one.ranking) & bad) for one in alone),
        "false_alone": _mean(len(_named(one.ranking) - bad) for one in alone),
    }
    if bad:
        second = [one.id for one in found.detectors[1].scores]
        first = found.rounds[0].number
        began = (found.course(name).began for name in sorted(named & bad))
        figures |= {
            "auc": _auc([one.id for one in found.ranking], bad),
            "auc_foolsgold": _auc(second, bad),
            "auc_alone": [_auc([one.id for one in own.ranking], bad) for own in alone],
            "began": [number - first for number in began if number is not None],
        }
    return figures


def _named(ranking: Sequence[Ranked]) -> set[str]:
    return {one.id for one in ranking if one.named}


def _mean(values: Any) -> float:
    return round(float(mean(values)), _DECIMALS)


def _auc(ranking: Sequence[str], compromised: Collection[str]) -> float | None:
    """Return the chance that a compromised participant ranks above an honest one."""
    above, pairs, bad = 0, 0, 0
    for name in ranking:
        if name in compromised:
            bad += 1
        else:
            above += bad
            pairs += 1
    return round(above / (pairs * bad), _DECIMALS) if pairs and bad else None
