"""The panel: several signs of an attacker, weighed by their chance among the honest."""

import numpy as np

from ariba_cli.detectors.declaration import (
    Declaration,
    Scope,
    Scores,
    Setting,
    UpdateDetector,
    check_arguments,
)
from ariba_cli.scoring.panel.groups import groups_of
from ariba_cli.scoring.panel.judging import judge
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
)


def panel_scores(updates: Updates, _k_est: int) -> Scores:
    """Return the evidence against each, its chance, and the chance of each sign."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = judge(groups_of(updates))
    details = {"p_value": found.chances} | {f"p_{name}": own for name, own in found.signs.items()}
    return Scores(
        total=found.scores,
        by_layer={},
        parameters={"signs": ", ".join(found.signs)},
        details={
            name: [float(f"{one:.6g}") for one in values.tolist()]
            for name, values in details.items()
        },
    )


class Panel:
    """Makes the detector."""

    declaration = DECLARATION

    def make(self, _: str, setting: Setting) -> UpdateDetector:
        """Return the detector, which takes no arguments."""
        check_arguments(DECLARATION, setting)
        return UpdateDetector(DECLARATION, panel_scores, {})


FAMILY = Panel()
