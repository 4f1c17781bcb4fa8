"""The combination: the choice of a rule → the next global model, a few coordinates at a time."""

from collections.abc import Iterator
from math import prod

import numpy as np

from ariba_cli.aggregation.rules.declaration import Choice, Float64
from ariba_cli.aggregation.updates import RoundUpdates


def next_values(
    updates: RoundUpdates, choice: Choice, name: str, eta: float, noise_seed: int
) -> Iterator[Float64]:
    """Yield the values of one tensor of the next global model, in order, in float64.

    They are θ + η·Δ + N with Δ as the rule has it: Σ w_i δ_i over its divisor, summed in id
    order, or the combination of each coordinate. Where it uses nobody, they are those of θ.

    The statistics of batch normalisation are aggregated with η = 1 and without noise: they are not
    trained, and a variance that is extrapolated can come out negative.

    Parameters
    ----------
    updates : RoundUpdates
        The updates of the round.
    choice : Choice
        The choice of the rule.
    name : str
        The name of the tensor.
    eta : float
        The server's learning rate η.
    noise_seed : int
        The seed of the noise, if there is some.
    """
    start, used = updates.start(name), choice.used
    measured = name in updates.statistics
    step = 1.0 if measured else eta
    noise = None
    if choice.noise and not measured:
        noise = np.random.default_rng([noise_seed, sorted(updates.shapes).index(name)])
    if not used:
        if start is not None:
            yield start[slice(0, prod(updates.shapes[name]))].astype(np.float64)
        return
    for which, moved in updates.blocks(name, used):
        found = np.zeros(moved.shape[1]) if start is None else start[which].astype(np.float64)
        if choice.combine is not None:
            found = found + step * choice.combine(moved)
        else:
            total = np.zeros(moved.shape[1])
            for weight, row in zip(choice.weights[used], moved, strict=True):
                row *= weight
                total += row
            found = found + step / choice.divisor * total
        if noise is not None:
            found += choice.noise * noise.standard_normal(len(found))
        yield found
