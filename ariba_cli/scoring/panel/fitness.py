"""How far the tails of clean rounds speak for a round, and which signs it does not show."""

import numpy as np

from ariba_cli.scoring.panel.groups import Groups
from ariba_cli.scoring.panel.judging import Judgement
from ariba_cli.scoring.panel.signs import SIGNS
from ariba_cli.scoring.panel.tails import RARE

_OF_CLASSES = ("beyond", "push", "nonsoftmax")


def departure(found: Judgement) -> float:
    """Return the largest share, over the signs, of usual participants who show much of one.

    Where the tails fit it is about a twentieth.
    """
    return max(float(np.mean(chances[found.kept] <= RARE)) for chances in found.signs.values())


def unseen(groups: Groups, found: Judgement) -> dict[str, str]:
    """Return, by each sign that the round does not show, a code that says why."""
    return {name: _why_unseen(name, groups) for name in SIGNS if name not in found.signs}


def _why_unseen(name: str, groups: Groups) -> str:
    if not groups.total.from_global:
        return "no-global-model"
    if name in _OF_CLASSES and groups.output is None:
        return "not-softmax" if groups.has_output else "no-output-layer"
    if name == "nonsoftmax":
        return "not-plain-descent"
    return "nothing-to-compare"
