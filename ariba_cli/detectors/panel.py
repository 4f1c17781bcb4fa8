"""The panel: several signs of an attacker, weighed by their chance among the honest."""

from collections.abc import Sequence

import numpy as np

from ariba_cli.base.parameters import OF_SIGN, Parameter
from ariba_cli.detectors.declaration import (
    Calibrated,
    Declaration,
    Scope,
    Scores,
    Setting,
    UpdateDetector,
    check_arguments,
)
from ariba_cli.scoring.panel.fitness import departure, unseen
from ariba_cli.scoring.panel.groups import groups_of
from ariba_cli.scoring.panel.judging import judge
from ariba_cli.scoring.panel.reasons import Reason, reasons_of
from ariba_cli.scoring.panel.tails import PARTICIPANTS
from ariba_cli.scoring.update_statistics import Statistic, Updates

DECLARATION = Declaration(
    name="panel",
    scope=Scope.UPDATE,
    summary="several signs of an attacker, weighed by their chance among the honest",
    equation="Σ over signs s of 2·w_s·max(0, ln(c_s/p_s)), with p_s the chance of an honest "
    "participant to show as much of it",
    source="ariba",
    score="evidence",
    gathers=frozenset({Statistic.OUTPUT}),
    gives_p_values=True,
)


def panel_scores(updates: Updates, _k_est: int) -> Scores:
    """Return the evidence against each, its chance, and the chance of each sign."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        groups = groups_of(updates)
        found = judge(groups)

    def reasons(named: Sequence[int]) -> dict[int, tuple[Reason, ...]]:
        return reasons_of(found, named)

    details: dict[str, list[Parameter]] = {
        f"{OF_SIGN}{name}": [_short(one) for one in own.tolist()]
        for name, own in found.signs.items()
    }
    return Scores(
        total=found.scores,
        by_layer={},
        parameters={"signs": ", ".join(found.signs)},
        details=details,
        p_values=[_short(one) for one in found.chances.tolist()],
        reasons=reasons,
        calibrated=Calibrated(
            source="built-in",
            participants=PARTICIPANTS,
            departure=departure(found),
            unseen=unseen(groups, found),
            normalised=groups.normalised,
            similarity=found.similarity,
        ),
    )


def _short(chance: float) -> float:
    """Return a chance with the digits to which chances are compared."""
    return float(f"{chance:.6g}")


class Panel:
    """Makes the detector."""

    declaration = DECLARATION

    def make(self, _: str, setting: Setting) -> UpdateDetector:
        """Return the detector, which takes no arguments."""
        check_arguments(DECLARATION, setting)
        return UpdateDetector(DECLARATION, panel_scores, {})


FAMILY = Panel()
