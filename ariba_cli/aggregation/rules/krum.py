"""Krum: the one update that has the nearest neighbours."""

import numpy as np

from ariba_cli.aggregation.rules.declaration import (
    Arguments,
    Choice,
    Declaration,
    F,
    Float64,
    Rule,
    Settled,
    keep,
    settle_f,
)
from ariba_cli.aggregation.updates import RoundUpdates
from ariba_cli.detectors.krum import krum_sums
from ariba_cli.scoring.update_statistics import squared_distances

DECLARATION = Declaration(
    name="krum",
    summary="the one update that is nearest to its n − f − 2 neighbours",
    equation="δ_i of the least Σ ‖δ_i − δ_j‖² over the n − f − 2 nearest j; n ≥ 2f + 3",
    source="Blanchard et al., Machine learning with adversaries, 2017",
    fails="it learns from one participant per round; an attacker who stays close to the others "
    "can be that one; where participants have unlike classes, it keeps taking the usual ones",
    fewest=3,
    arguments={"f": F},
)


def settle(given: Arguments, n: int) -> Settled:
    """Return f, for which n ≥ 2f + 3."""
    return settle_f(given, n, (n - 3) // 2, "krum")


def central_order(distances: Float64) -> list[int]:
    """Return the indices of all by the sum of all distances, the most central first.

    Of equal scores the most central is taken, since ids should decide nothing: two that are
    each other's nearest, and count one neighbour, always have the same.

    Parameters
    ----------
    distances : float64 array of shape (n, n)
        The squared distances.
    """
    order: list[int] = np.argsort(distances.sum(axis=1), kind="stable").tolist()
    return order


def krum_order(updates: RoundUpdates, f: int) -> list[int]:
    """Return the indices of all by Krum score, the least first."""
    distances = squared_distances(updates.whole.gram)
    central = central_order(distances)
    sums = krum_sums(distances[np.ix_(central, central)], f)
    return [central[place] for place in np.argsort(sums, kind="stable").tolist()]


def choose(updates: RoundUpdates, *, f: int) -> Choice:
    """Keep the one of least score."""
    return keep(updates, np.arange(updates.participants) == krum_order(updates, f)[0])


RULE = Rule(DECLARATION, choose, settle)
