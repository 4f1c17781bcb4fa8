"""Spectral anomaly detection: an autoencoder that knows honest updates judges those of a round."""

from math import prod

import numpy as np

from ariba_cli.aggregation.autoencoder import Autoencoder
from ariba_cli.aggregation.rules.declaration import (
    Arguments,
    Choice,
    Declaration,
    Float64,
    Need,
    Rule,
    Settled,
    keep,
)
from ariba_cli.aggregation.updates import RoundUpdates
from ariba_cli.base.declared import Argument
from ariba_cli.base.errors import InputError
from ariba_cli.base.medians import median_of

_STEPS = 1000
# A surrogate is made of so many layers, the last ones, and has so many coordinates.
_LAYERS, _COORDINATES = 2, 64
# By so much sums in another order may differ.
_ROUNDING = 1e-9

DECLARATION = Declaration(
    name="spectral-vae",
    summary="the mean of the updates that an autoencoder reconstructs best, which was trained on "
    "rounds of public data",
    equation="Σ c_i δ_i / Σ c_i over those with e_i ≤ mean_j e_j, e_i the error of the surrogate "
    "of δ_i, a random projection of its last two layers",
    source="Li et al., Learning to detect malicious clients for robust federated learning, 2020",
    fails="the mean error is the limit, so somebody is left out of every round, clean or not, and "
    "one update with a huge error keeps the limit above all others. Public data that are unlike "
    "those of the participants make honest updates look unusual. It needs PyTorch",
    needs=frozenset({Need.GLOBAL_MODEL, Need.PUBLIC_ROUNDS}),
    fewest=2,
    by_samples=True,
    arguments={
        "steps": Argument(
            "the training steps of the autoencoder", default=_STEPS, least=1, integer=True
        )
    },
)


def settle(given: Arguments, _: int) -> Settled:
    """Return the number of steps."""
    return {"steps": int(given.get("steps") or _STEPS)}


def choose(updates: RoundUpdates, *, steps: float) -> Choice:
    """Keep those whose errors are no larger than the mean error.

    Raises
    ------
    InputError
        When the public rounds are of another model, or there are none.
    """
    assert updates.public is not None
    known, shapes = [], _last_shapes(updates)
    for one in updates.public():
        if _last_shapes(one) != shapes:
            raise InputError(
                "the last layers of the public rounds are not those of the round; name a run of "
                "the same model with --public"
            )
        known.append(surrogates(one))
    if not known:
        raise InputError("the run of public data has no update that can be used; name another")
    errors = Autoencoder(np.concatenate(known), int(steps)).errors(surrogates(updates))
    return keep(updates, errors <= errors.mean() * (1 + _ROUNDING))


def surrogates(updates: RoundUpdates) -> Float64:
    """Return a short vector for each update, of shape (n, coordinates), in median lengths.

    Each value of the last layers is added to one coordinate or subtracted from it, drawn for all
    rounds alike: a sparse random projection, which keeps inner products in the mean.
    """
    found = np.zeros((_COORDINATES, updates.participants))
    everybody = range(updates.participants)
    for place, (name, shape) in enumerate(_last_shapes(updates).items()):
        draw = np.random.default_rng(place)
        coordinates = draw.integers(_COORDINATES, size=prod(shape))
        signs = draw.choice([-1.0, 1.0], size=prod(shape))
        for which, moved in updates.blocks(name, everybody):
            np.add.at(found, coordinates[which], (moved * signs[which]).T)
    lengths = np.sqrt(np.square(found).sum(axis=0))
    rows: Float64 = found.T / (median_of(lengths) or 1.0)
    return rows


def _last_shapes(updates: RoundUpdates) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the tensors of the last layers that are trained, in model order."""
    shapes = {name: own for name, own in updates.shapes.items() if name not in updates.statistics}
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in shapes))[-_LAYERS:]
    return {name: own for name, own in shapes.items() if name.rpartition(".")[0] in layers}


RULE = Rule(DECLARATION, choose, settle)
