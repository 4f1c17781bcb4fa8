"""The accuracy check: participants whose models do worse than that of all others are left out."""

import math

import numpy as np
import numpy.typing as npt

from ariba_cli.aggregation.rules.declaration import (
    Arguments,
    Choice,
    Declaration,
    Need,
    Rule,
    Settled,
    keep,
)
from ariba_cli.aggregation.updates import Indices, RoundUpdates
from ariba_cli.base.declared import Argument

Float32 = npt.NDArray[np.float32]

_GAMMA = 0.1

DECLARATION = Declaration(
    name="accuracy-check",
    summary="the mean of the updates whose own model is as accurate as that of the others",
    equation="Σ c_i δ_i / Σ c_i over those with acc(θ^t + mean_{j≠i} δ_j) − acc(θ^t + δ_i) ≤ γ",
    source="Bhagoji et al., Analyzing federated learning through an adversarial lens, 2019",
    fails="the rule does not look for a backdoor, which costs no accuracy on clean samples; where "
    "participants have unlike classes, an honest model does worse than that of the others. The "
    "server needs samples: here it takes the test set, so accuracies after it are not unseen",
    needs=frozenset({Need.GLOBAL_MODEL, Need.DATA}),
    fewest=2,
    by_samples=True,
    arguments={"gamma": Argument("γ, the loss of accuracy to allow", default=_GAMMA, most=1.0)},
)


def settle(given: Arguments, _: int) -> Settled:
    """Return γ."""
    gamma = given.get("gamma")
    return {"gamma": _GAMMA if gamma is None else float(gamma)}


def model_of(updates: RoundUpdates, who: Indices) -> dict[str, Float32]:
    """Return θ^t and the mean of some updates, in float32.

    Sums are of those alone: taken from the sum of all, one that is huge would take the digits of
    the others along.
    """
    model = {}
    for name, shape in updates.shapes.items():
        start = updates.start(name)
        assert start is not None
        values = np.zeros(math.prod(shape), np.float32)
        for which, moved in updates.blocks(name, who):
            values[which] = start[which].astype(np.float64) + moved.sum(axis=0) / len(who)
        model[name] = values.reshape(shape)
    return model


def choose(updates: RoundUpdates, *, gamma: float) -> Choice:
    """Keep those whose models lose no more than γ; if there are none, the global model stays."""
    assert updates.accuracy is not None
    everybody, kept = range(updates.participants), []
    with np.errstate(over="ignore", invalid="ignore"):
        for place in everybody:
            own = updates.accuracy(model_of(updates, [place]))
            others = [other for other in everybody if other != place]
            kept.append(updates.accuracy(model_of(updates, others)) - own <= gamma)
    return keep(updates, kept)


RULE = Rule(DECLARATION, choose, settle)
