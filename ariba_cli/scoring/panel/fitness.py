"""The fit of the tails of clean rounds to a round, and the signs that the round does not show."""

import numpy as np

from ariba_cli.scoring.panel.groups import Groups
from ariba_cli.scoring.panel.judging import Judgement
from ariba_cli.scoring.panel.signs import SIGNS
from ariba_cli.scoring.panel.tails import RARE

_OF_CLASSES = ("beyond", "push", "nonsoftmax")


def departure(found: Judgement) -> float:
    """Return the largest share, over the signs, of usual participants who show much of one.

    It is about a twentieth where the tails fit.
    """
    return max(float(np.mean(chances[found.kept] <= RARE)) for chances in found.signs.values())


def unseen(groups: Groups, found: Judgement) -> dict[str, str]:
    """Return a code with the reason for each sign that the round does not show."""
    return {name: _why_unseen(name, groups) for name in SIGNS if name not in found.signs}


def _why_unseen(name: str, groups: Groups) -> str:
    if not groups.total.from_global:
        return "no-global-model"
    if name in _OF_CLASSES and groups.output is None:
        return "not-softmax" if groups.has_output else "no-output-layer"
    if name == "nonsoftmax":
        return "not-plain-descent"
    return "nothing-to-compare"
