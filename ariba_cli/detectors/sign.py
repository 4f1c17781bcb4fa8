"""The share of coordinates, unusually high or low, that an update moves with the majority."""

import numpy as np

from ariba_cli.base.medians import median_of
from ariba_cli.detectors.declaration import Declaration, Need, Scope, UpdateFamily
from ariba_cli.scoring.update_statistics import Float64, Statistic, UpdateStatistics

DECLARATION = Declaration(
    name="sign",
    scope=Scope.UPDATE,
    summary="how unusually often, or seldom, an update has the sign of the majority",
    equation="|a_i − median a|, a_i = |{p : sign δ_ip = s_p ≠ 0}| / |{p : s_p ≠ 0}|, with s_p the "
    "sign of Σ_j sign δ_jp",
    source="after Bernstein et al., signSGD with majority vote, 2019",
    score="from the median agreement",
    needs=frozenset({Need.GLOBAL_MODEL}),
    gathers=frozenset({Statistic.SIGNS}),
)


def sign_scores(statistics: UpdateStatistics) -> Float64:
    """Return the distance of each agreement with the majority from the median agreement.

    Attackers may be on either side: once training has converged, the honest go their own ways,
    and a boosted update is nearer to the majority than they are.
    """
    assert statistics.agreement is not None
    if not statistics.with_majority:
        return np.zeros(statistics.participants)
    agreement = statistics.agreement / statistics.with_majority
    found: Float64 = np.abs(agreement - median_of(agreement))
    return found


FAMILY = UpdateFamily(DECLARATION, sign_scores)
