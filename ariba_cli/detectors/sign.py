"""How often an update moves a coordinate against the majority."""

import numpy as np

from ariba_cli.detectors.declaration import Declaration, Need, Scope, UpdateFamily
from ariba_cli.scoring.update_statistics import Float64, Statistic, UpdateStatistics

DECLARATION = Declaration(
    name="sign",
    scope=Scope.UPDATE,
    summary="the part of its coordinates that an update moves against the majority",
    equation="1 − |{p : sign δ_ip = sign Σ_j sign δ_jp ≠ 0}| / |{p : Σ_j sign δ_jp ≠ 0}|",
    source="Bernstein et al., signSGD with majority vote, 2019",
    score="against the majority",
    needs=frozenset({Need.GLOBAL_MODEL}),
    gathers=frozenset({Statistic.SIGNS}),
)


def sign_scores(statistics: UpdateStatistics) -> Float64:
    """Return the part of the coordinates with a majority in which each has another sign."""
    assert statistics.agreement is not None
    if not statistics.with_majority:
        return np.zeros(statistics.participants)
    found: Float64 = 1.0 - statistics.agreement / statistics.with_majority
    return found


FAMILY = UpdateFamily(DECLARATION, sign_scores)
