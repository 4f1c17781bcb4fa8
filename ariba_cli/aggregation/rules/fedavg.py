"""FedAvg: the mean of all updates."""

import numpy as np

from ariba_cli.aggregation.rules.declaration import Choice, Declaration, Rule, keep
from ariba_cli.aggregation.updates import RoundUpdates

DECLARATION = Declaration(
    name="fedavg",
    summary="the plain mean of all updates",
    equation="Σ c_i δ_i / Σ c_i; c_i is 1, or the samples of i",
    source="McMahan et al., Communication-efficient learning of deep networks, 2017; Eq. 1 of the "
    "paper",
    fails="a single participant decides the result, if its update is long enough",
    by_samples=True,
)


def choose(updates: RoundUpdates) -> Choice:
    """Keep everybody."""
    return keep(updates, np.ones(updates.participants, dtype=bool))


RULE = Rule(DECLARATION, choose)
