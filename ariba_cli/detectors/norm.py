"""The l2 norm of an update, compared with that of the others."""

import numpy as np

from ariba_cli.base.medians import median_of
from ariba_cli.detectors.declaration import Declaration, Need, Scope, UpdateFamily
from ariba_cli.scoring.update_statistics import Float64, UpdateStatistics

DECLARATION = Declaration(
    name="norm",
    scope=Scope.UPDATE,
    summary="the length of an update; boosted updates are long",
    equation="‖δ_i‖ / median_j ‖δ_j‖",
    source="Bhagoji et al., Analyzing federated learning through an adversarial lens, 2019",
    score="times the median norm",
    needs=frozenset({Need.GLOBAL_MODEL}),
)


def norm_scores(statistics: UpdateStatistics) -> Float64:
    """Return ‖δ_i‖ divided by the median of all; where that is zero, ‖δ_i‖ itself."""
    return by_median(np.sqrt(np.maximum(np.diagonal(statistics.gram), 0.0)))


def by_median(lengths: Float64) -> Float64:
    """Return lengths as multiples of their median; unchanged where that is zero."""
    median = median_of(lengths)
    found: Float64 = lengths / median if median > 0 else lengths
    return found


FAMILY = UpdateFamily(DECLARATION, norm_scores)
