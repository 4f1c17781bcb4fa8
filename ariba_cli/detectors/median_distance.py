"""The distance of an update to the coordinate-wise median of all updates."""

import numpy as np

from ariba_cli.detectors.declaration import Declaration, Scope, UpdateFamily
from ariba_cli.detectors.norm import by_median
from ariba_cli.scoring.update_statistics import Float64, Statistic, UpdateStatistics

DECLARATION = Declaration(
    name="median-distance",
    scope=Scope.UPDATE,
    summary="the distance to the coordinate-wise median of all updates",
    equation="‖δ_i − μ‖ / median_j ‖δ_j − μ‖, with μ the median in each coordinate",
    source="Yin et al., Byzantine-robust distributed learning, 2018",
    score="times the median distance",
    gathers=frozenset({Statistic.MEDIAN}),
)


def median_distance_scores(statistics: UpdateStatistics) -> Float64:
    """Return ‖δ_i − μ‖ divided by the median of all."""
    assert statistics.along_median is not None
    squares = np.diagonal(statistics.gram) - 2 * statistics.along_median + statistics.median_square
    return by_median(np.sqrt(np.maximum(squares, 0.0)))


FAMILY = UpdateFamily(DECLARATION, median_distance_scores)
