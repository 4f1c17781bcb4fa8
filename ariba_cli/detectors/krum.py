"""Krum: the distance of an update to those that are nearest to it."""

import numpy as np

from ariba_cli.base.errors import UsageError
from ariba_cli.base.medians import median_of
from ariba_cli.detectors.declaration import Arguments, Declaration, Option, Scope, UpdateFamily
from ariba_cli.scoring.update_statistics import Float64, UpdateStatistics, squared_distances

F_OPTION = Option("the number of attackers to allow for", "k_est, or as many as fit n")

DECLARATION = Declaration(
    name="krum",
    scope=Scope.UPDATE,
    summary="the squared distances to the nearest updates",
    equation="Σ of ‖δ_i − δ_j‖² over the n − f − 2 nearest j, by the median of all sums",
    source="Blanchard et al., Machine learning with adversaries, 2017",
    score="times the median Krum score",
    options={"f": F_OPTION},
)


def settle_f(given: Arguments, n: int, k_est: int, *, most: int, rule: str) -> dict[str, int]:
    """Return f: the given one, or else k_est or the most that fits n participants.

    Raises
    ------
    UsageError
        When the given one does not fit n.
    """
    f = given.get("f")
    if f is None:
        return {"f": max(0, min(k_est, most))}
    assert isinstance(f, int)
    if f > most:
        raise UsageError(
            f"f is {f}; with {n} participants {rule} can allow for {max(0, most)} attackers at most"
        )
    return {"f": f}


def settle(given: Arguments, n: int, k_est: int) -> dict[str, int]:
    """Return f, for which n ≥ 2f + 3."""
    return settle_f(given, n, k_est, most=(n - 3) // 2, rule="Krum")


def krum_sums(distances: Float64, f: int) -> Float64:
    """Return Σ of the n − f − 2 least distances of each to others, but of one at least.

    Parameters
    ----------
    distances : float64 array of shape (n, n)
        The squared distances, with zeros on the diagonal.
    f : int
        The number of attackers to tolerate.
    """
    n = len(distances)
    nearest = np.sort(distances + np.diag(np.full(n, np.inf)), axis=1)
    total = np.zeros(n)
    for column in nearest[:, : max(1, n - f - 2)].T:
        total += column
    return total


def krum_scores(statistics: UpdateStatistics, *, f: int) -> Float64:
    """Return the sums divided by their median; unchanged where that is zero."""
    sums = krum_sums(squared_distances(statistics.gram), f)
    median = median_of(sums)
    found: Float64 = sums / median if median > 0 else sums
    return found


FAMILY = UpdateFamily(DECLARATION, krum_scores, settle)
