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
from ariba_cli.scoring.panel.groups import groups_of, moving
from ariba_cli.scoring.panel.judging import judge
from ariba_cli.scoring.panel.reasons import Reason, reasons_of
from ariba_cli.scoring.panel.tails import BUILT_IN, Calibration
from ariba_cli.scoring.update_statistics import Float64, Statistic, Updates

DECLARATION = Declaration(
    name="panel",
    scope=Scope.UPDATE,
    summary="several signs of an attacker, weighed by how often honest participants show them",
    equation="Σ over signs s of 2·w_s·max(0, ln(c_s/p_s)), with p_s the chance of an honest "
    "participant to show as much of it",
    source="ariba",
    score="evidence",
    gathers=frozenset({Statistic.OUTPUT, Statistic.SIDES}),
    gives_p_values=True,
)


def panel_scores(updates: Updates, by: Calibration) -> Scores:
    """Return the evidence against each, its chance, and the chance of each sign.

    Participants who sent the global model back are not judged: there is no evidence against them.
    """
    n, judged = updates.participants, moving(updates)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        groups = groups_of(updates.keeping(judged))
        found = judge(groups, by)

    def reasons(named: Sequence[int]) -> dict[int, tuple[Reason, ...]]:
        own = reasons_of(found, [place for place, who in enumerate(judged) if who in named])
        return {
            judged[place]: tuple(
                one._replace(alike=tuple(judged[other] for other in one.alike)) for one in several
            )
            for place, several in own.items()
        }

    def of_all(values: Float64, of_others: float) -> Float64:
        everybody = np.full(n, of_others)
        everybody[judged] = values
        return everybody

    details: dict[str, list[Parameter]] = {
        f"{OF_SIGN}{sign}": [_short(one) for one in of_all(chances, 1.0).tolist()]
        for sign, chances in found.signs.items()
    }
    similarity = None
    if found.similarity is not None:
        similarity = np.zeros((n, n))
        similarity[np.ix_(judged, judged)] = found.similarity
    return Scores(
        total=of_all(found.scores, 0.0),
        by_layer={},
        parameters={"signs": ", ".join(found.signs)},
        details=details,
        p_values=[_short(one) for one in of_all(found.chances, 1.0).tolist()],
        reasons=reasons,
        calibrated=Calibrated(
            source=by.source,
            participants=by.participants,
            departure=departure(found),
            unseen=unseen(groups, found),
            normalised=groups.normalised,
            similarity=similarity,
        ),
    )


def _short(chance: float) -> float:
    """Return a chance rounded to the digits with which chances are compared."""
    return float(f"{chance:.6g}")


class Panel:
    """The maker of the detector."""

    declaration = DECLARATION

    def make(self, _: str, setting: Setting) -> UpdateDetector:
        """Return the detector, which takes no arguments."""
        check_arguments(DECLARATION, setting)
        by = setting.baseline or BUILT_IN
        return UpdateDetector(DECLARATION, lambda updates, _: panel_scores(updates, by), {})


FAMILY = Panel()
