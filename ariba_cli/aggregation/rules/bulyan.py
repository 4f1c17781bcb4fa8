"""Bulyan: repeated Krum selects updates, whose coordinates nearest to the median are averaged."""

from functools import partial

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
from ariba_cli.aggregation.rules.krum import central_order
from ariba_cli.aggregation.updates import RoundUpdates
from ariba_cli.detectors.bulyan import bulyan_scores
from ariba_cli.scoring.update_statistics import squared_distances

DECLARATION = Declaration(
    name="bulyan",
    summary="the middle of each coordinate, over the n − 2f updates that repeated Krum takes",
    equation="in each coordinate the mean of the n − 4f values nearest to the median of the "
    "n − 2f that repeated Krum takes; n ≥ 4f + 3",
    source="El Mhamdi et al., The hidden vulnerability of distributed learning, 2018",
    fails="it withstands fewer attackers than the other rules; it throws away most of an honest "
    "round, and with it what only few participants know",
    fewest=3,
    arguments={"f": F},
)


def settle(given: Arguments, n: int) -> Settled:
    """Return f, for which n ≥ 4f + 3."""
    return settle_f(given, n, (n - 3) // 4, "bulyan")


def nearest_to_median(values: Float64, count: int) -> Float64:
    """Return the mean of that many values nearest to the median, of each column.

    Of two that are as near the smaller is taken. Sums are in ascending order.

    Parameters
    ----------
    values : float64 array of shape (n, columns)
        The values, which are sorted in place.
    count : int
        The number of values, from 1 to n.
    """
    values.sort(axis=0)
    n = len(values)
    median = (values[(n - 1) // 2] + values[n // 2]) / 2
    # In order, the nearest lie side by side: only where they begin has to be found.
    first = np.zeros(values.shape[1], dtype=np.intp)
    columns = np.arange(values.shape[1])
    for _ in range(n - count):
        after = np.minimum(first + count, n - 1)
        moves = (first + count < n) & (
            values[after, columns] - median < median - values[first, columns]
        )
        first += moves
    total = np.zeros(values.shape[1])
    for offset in range(count):
        total += values[first + offset, columns]
    return total / count


def choose(updates: RoundUpdates, *, f: int) -> Choice:
    """Keep those that repeated Krum takes, and the middle of their coordinates."""
    central = central_order(squared_distances(updates.whole.gram))
    taken = np.zeros(updates.participants, dtype=bool)
    taken[central] = bulyan_scores(updates.whole.keeping(central), f=f) <= 1
    count = updates.participants - 4 * f
    return keep(updates, taken, partial(nearest_to_median, count=count))


RULE = Rule(DECLARATION, choose, settle)
