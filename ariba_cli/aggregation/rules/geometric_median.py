"""The geometric median, by Weiszfeld's algorithm on inner products alone."""

import numpy as np

from ariba_cli.aggregation.rules.declaration import Choice, Declaration, Float64, Rule
from ariba_cli.aggregation.updates import RoundUpdates
from ariba_cli.base.medians import median_of
from ariba_cli.scoring.update_statistics import squared_distances

DECLARATION = Declaration(
    name="geometric-median",
    summary="the point with the smallest sum of distances to all updates",
    equation="z of the least Σ ‖δ_i − z‖; z = Σ w_i δ_i / Σ w_i with w_i = 1/max(ε, ‖δ_i − z‖)",
    source="Chen et al., Distributed statistical machine learning in adversarial settings, 2017; "
    "Pillutla et al., Robust aggregation for federated learning, 2022",
    fails="once half of all are compromised, attackers decide the result; below that it still "
    "moves towards them, all the more where honest updates are far apart",
)

# ε as a share of the median distance, which no minority decides: of inner products, smaller
# distances are not known.
_SMOOTHING = 1e-7
# The length of the sum of unit vectors, over their number, at which it counts as zero.
_TOLERANCE = 1e-10
_MOST_STEPS = 20_000
# After so many steps that come no closer, rounding is all that moves.
_PATIENCE = 20


def weiszfeld(gram: Float64) -> Float64:
    """Return the weights, of sum 1, with which the updates make their geometric median.

    Parameters
    ----------
    gram : float64 array of shape (n, n)
        The inner products of the updates, counted from any origin.
    """
    # Counted from one in their midst, neither what all have in common takes digits, nor one
    # that is far off.
    midst = int(np.sqrt(squared_distances(gram)).sum(axis=1).argmin())
    gram = gram - gram[midst] - gram[:, midst : midst + 1] + gram[midst, midst]
    squares = np.diagonal(gram)
    weights = np.full(len(gram), 1 / len(gram))
    smoothing = _SMOOTHING * float(np.sqrt(max(median_of(squares), 0.0)))
    if smoothing == 0:
        # It is where half of all are.
        there = squares <= 0
        shared: Float64 = there / np.count_nonzero(there)
        return shared
    least, since = np.inf, 0
    for _ in range(_MOST_STEPS):
        along = gram @ weights
        distances = np.sqrt(np.maximum(squares - 2 * along + weights @ along, 0.0))
        pulls = 1 / np.maximum(distances, smoothing)
        moved = pulls / pulls.sum() - weights
        weights = weights + moved
        # A step is as long as the sum of the unit vectors, over the sum of the pulls.
        units = np.sqrt(max(float(moved @ gram @ moved), 0.0)) * pulls.sum() / len(gram)
        least, since = (units, 0) if units < least else (least, since + 1)
        if units <= _TOLERANCE or since >= _PATIENCE:
            break
    found: Float64 = weights
    return found


def choose(updates: RoundUpdates) -> Choice:
    """Weigh everybody by its nearness to the median."""
    return Choice(weiszfeld(updates.whole.gram), 1.0)


RULE = Rule(DECLARATION, choose)
