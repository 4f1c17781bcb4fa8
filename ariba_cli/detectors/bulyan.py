"""Bulyan's selection: the step at which repeated Krum takes an update, if it does."""

import numpy as np

from ariba_cli.detectors.declaration import Arguments, Declaration, Scope, UpdateFamily
from ariba_cli.detectors.krum import F_OPTION, krum_sums, settle_f
from ariba_cli.scoring.update_statistics import Float64, UpdateStatistics, squared_distances

DECLARATION = Declaration(
    name="bulyan",
    scope=Scope.UPDATE,
    summary="the step at which repeated Krum selects an update",
    equation="the step, from 1 to n, at which Krum takes it from the rest, over the n − 2f steps "
    "that select; above 1 it is not selected",
    source="El Mhamdi et al., The hidden vulnerability of distributed learning, 2018",
    score="step over n - 2f",
    options={"f": F_OPTION},
)


def settle(given: Arguments, n: int, k_est: int) -> dict[str, int]:
    """Return f, for which n ≥ 4f + 3."""
    return settle_f(given, n, k_est, most=(n - 3) // 4, rule="Bulyan")


def bulyan_scores(statistics: UpdateStatistics, *, f: int) -> Float64:
    """Return the steps at which repeated Krum takes each update, over n − 2f.

    Of equal Krum scores the first in id order is taken.
    """
    distances = squared_distances(statistics.gram)
    left = np.arange(statistics.participants)
    steps = np.empty(statistics.participants)
    for step in range(1, statistics.participants):
        sums = krum_sums(distances[np.ix_(left, left)], f)
        taken = int(sums.argmin())
        steps[left[taken]] = step
        left = np.delete(left, taken)
    steps[left] = statistics.participants
    found: Float64 = steps / (statistics.participants - 2 * f)
    return found


FAMILY = UpdateFamily(DECLARATION, bulyan_scores, settle)
