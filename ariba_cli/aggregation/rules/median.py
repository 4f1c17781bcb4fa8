"""The coordinate-wise median."""

import numpy as np

from ariba_cli.aggregation.rules.declaration import Choice, Declaration, Float64, Rule, keep
from ariba_cli.aggregation.updates import RoundUpdates
from ariba_cli.native.columns import medians

DECLARATION = Declaration(
    name="median",
    summary="the median of each coordinate",
    equation="median_i δ_i in each coordinate; for an even n the mean of the two in the middle",
    source="Yin et al., Byzantine-robust distributed learning, 2018",
    fails="it loses what fewer than half of the participants know; where data are dealt out "
    "unevenly it learns slowly, and many small shifts by the compromised add up",
)


def columns_median(values: Float64) -> Float64:
    """Return the median of each column."""
    return medians(values)


def choose(updates: RoundUpdates) -> Choice:
    """Keep everybody, and take the median of each coordinate."""
    return keep(updates, np.ones(updates.participants, dtype=bool), columns_median)


RULE = Rule(DECLARATION, choose)
