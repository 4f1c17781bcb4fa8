"""Multi-Krum: membership of an update among those of least Krum score, which are averaged."""

import numpy as np

from ariba_cli.detectors.declaration import Declaration, Scope, UpdateFamily
from ariba_cli.detectors.krum import F_OPTION, krum_sums, settle
from ariba_cli.scoring.update_statistics import Float64, UpdateStatistics, squared_distances

DECLARATION = Declaration(
    name="multi-krum",
    scope=Scope.UPDATE,
    summary="the Krum score, compared with the largest that Multi-Krum still averages",
    equation="Krum score / its (n − f)-th least; above 1 the rule leaves the update out",
    source="Blanchard et al., Machine learning with adversaries, 2017",
    score="times the last that is kept",
    options={"f": F_OPTION},
)


def multi_krum_scores(statistics: UpdateStatistics, *, f: int) -> Float64:
    """Return Krum scores divided by the largest of the n − f least; unchanged if that is zero."""
    sums = krum_sums(squared_distances(statistics.gram), f)
    last = float(np.sort(sums)[len(sums) - f - 1])
    found: Float64 = sums / last if last > 0 else sums
    return found


FAMILY = UpdateFamily(DECLARATION, multi_krum_scores, settle)
