"""The cosines of an update with its nearest neighbours, after the median is subtracted."""

import numpy as np

from ariba_cli.base.errors import UsageError
from ariba_cli.detectors.declaration import Arguments, Declaration, Option, Scope, UpdateFamily
from ariba_cli.scoring.update_statistics import Float64, Statistic, UpdateStatistics, cosines

_NEIGHBOURS = 3

DECLARATION = Declaration(
    name="cosine",
    scope=Scope.UPDATE,
    summary="how similar an update is to the nearest ones, beyond what all have in common",
    equation="the mean of the largest cosines of δ_i − μ to others; μ is the coordinate median",
    source="after Fung et al., 2020, with the median taken away",
    score="mean cosine",
    gathers=frozenset({Statistic.MEDIAN}),
    options={
        "neighbours": Option("the number of nearest updates", str(_NEIGHBOURS), least=1),
    },
)


def settle(given: Arguments, n: int, _k_est: int) -> dict[str, int]:
    """Return the number of neighbours, less than n."""
    neighbours = given.get("neighbours", min(_NEIGHBOURS, n - 1))
    assert isinstance(neighbours, int)
    if neighbours >= n:
        raise UsageError(
            f"neighbours is {neighbours}; with {n} participants it can be at most {n - 1}"
        )
    return {"neighbours": neighbours}


def cosine_scores(statistics: UpdateStatistics, *, neighbours: int) -> Float64:
    """Return the mean of the largest centred cosines of each update with others.

    A few boosted updates move the mean, and then all the others look alike; the median stays.
    """
    along, square = statistics.along_median, statistics.median_square
    assert along is not None
    found = cosines(statistics.gram - along[:, None] - along + square)
    np.fill_diagonal(found, -np.inf)
    total = np.zeros(statistics.participants)
    for column in np.sort(found, axis=1)[:, : -neighbours - 1 : -1].T:
        total += column
    scores: Float64 = total / neighbours
    return scores


FAMILY = UpdateFamily(DECLARATION, cosine_scores, settle)
