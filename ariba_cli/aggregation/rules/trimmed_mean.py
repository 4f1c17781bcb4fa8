"""The coordinate-wise trimmed mean."""

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
from ariba_cli.aggregation.updates import RoundUpdates

DECLARATION = Declaration(
    name="trimmed-mean",
    summary="the mean of each coordinate without the f highest and the f lowest",
    equation="in each coordinate the mean of the n − 2f values in the middle; n ≥ 2f + 1",
    source="Yin et al., Byzantine-robust distributed learning, 2018",
    fails="an attacker who stays within the range of the others counts; what fewer than f "
    "participants know is lost",
    arguments={"f": F},
)


def settle(given: Arguments, n: int) -> Settled:
    """Return f, for which n ≥ 2f + 1."""
    return settle_f(given, n, (n - 1) // 2, "trimmed-mean")


def trimmed(values: Float64, f: int) -> Float64:
    """Return the mean of each column without its f highest and f lowest values.

    Parameters
    ----------
    values : float64 array of shape (n, columns)
        The values, which are sorted in place; sums are in that order.
    f : int
        The number of values to leave out at each end; less than n/2.
    """
    values.sort(axis=0)
    total = np.zeros(values.shape[1])
    for row in values[f : len(values) - f]:
        total += row
    return total / (len(values) - 2 * f)


def choose(updates: RoundUpdates, *, f: int) -> Choice:
    """Keep everybody, and take the middle of each coordinate."""
    return keep(updates, np.ones(updates.participants, dtype=bool), partial(trimmed, f=f))


RULE = Rule(DECLARATION, choose, settle)
