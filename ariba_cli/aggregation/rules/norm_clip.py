"""Norm clipping, and the noise of weak differential privacy."""

import numpy as np

from ariba_cli.aggregation.rules.declaration import (
    Arguments,
    Choice,
    Declaration,
    Need,
    Rule,
    Settled,
)
from ariba_cli.aggregation.updates import RoundUpdates
from ariba_cli.base.declared import Argument
from ariba_cli.base.medians import median_of

DECLARATION = Declaration(
    name="norm-clip",
    summary="long updates are shortened to the norm M; noise may be added",
    equation="Σ c_i δ_i / max(1, ‖δ_i‖/M) / Σ c_i + N(0, s²) in each coordinate",
    source="Sun et al., Can you really backdoor federated learning?, 2019",
    fails="an attacker whose update is not longer than M counts in full, and can attack in every "
    "round; noise that would drown a backdoor also drowns what is learnt",
    needs=frozenset({Need.GLOBAL_MODEL}),
    by_samples=True,
    arguments={
        "norm": Argument("M, the largest norm", otherwise="the median of all norms", least=1e-12),
        "noise": Argument(
            "s, the standard deviation of the noise", default=0.0, otherwise="0, no noise"
        ),
    },
)


def settle(given: Arguments, _: int) -> Settled:
    """Return the given arguments; the median is known with the updates."""
    return {key: float(value or 0) for key, value in given.items()}


def choose(updates: RoundUpdates, *, norm: float | None = None, noise: float = 0.0) -> Choice:
    """Weigh everybody by the share of its update that is left."""
    norms = np.sqrt(np.maximum(np.diagonal(updates.whole.gram), 0.0))
    most = median_of(norms) if norm is None else norm
    kept = np.divide(most, norms, out=np.ones_like(norms), where=norms > most)
    return Choice(kept * updates.samples, float(sum(updates.samples)), noise=noise)


RULE = Rule(DECLARATION, choose, settle)
