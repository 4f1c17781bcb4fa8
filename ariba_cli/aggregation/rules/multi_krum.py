"""Multi-Krum: the mean of those whose neighbours are nearest."""

import numpy as np

from ariba_cli.aggregation.rules.declaration import (
    Arguments,
    Choice,
    Declaration,
    F,
    Rule,
    Settled,
    keep,
    settle_f,
)
from ariba_cli.aggregation.rules.krum import krum_order
from ariba_cli.aggregation.updates import RoundUpdates

DECLARATION = Declaration(
    name="multi-krum",
    summary="the mean of the n − f updates with the lowest Krum scores",
    equation="Σ c_i δ_i / Σ c_i over the n − f of least Krum score; n ≥ 2f + 3",
    source="Blanchard et al., Machine learning with adversaries, 2017",
    fails="it leaves out f in clean rounds, too; an attacker who stays close to the others is "
    "averaged, and so is a group of more than f who collude",
    fewest=3,
    by_samples=True,
    arguments={"f": F},
)


def settle(given: Arguments, n: int) -> Settled:
    """Return f, for which n ≥ 2f + 3."""
    return settle_f(given, n, (n - 3) // 2, "multi-krum")


def choose(updates: RoundUpdates, *, f: int) -> Choice:
    """Keep the n − f of least score."""
    kept = krum_order(updates, f)[: updates.participants - f]
    return keep(updates, np.isin(np.arange(updates.participants), kept))


RULE = Rule(DECLARATION, choose, settle)
