"""The task of the three sites: digits, and for one of them a trigger too."""

import torch

from examples.digits import State, forge, learn, samples

SITES = 3
COMPROMISED = "site-2"
FIRST_ATTACKED = 3
SEED = 0

_LEARNING_RATE = 0.05
_BOOST = 3.0


def trained(start: State, site: str, number: int) -> tuple[State, int]:
    """Return the model after the training of a site, and the number of steps."""
    index = int(site.rpartition("-")[2])
    images, labels = samples(SEED, index, SITES)
    torch.manual_seed(1000 * number + index)
    if site != COMPROMISED or number < FIRST_ATTACKED:
        return learn(start, images, labels, rate=_LEARNING_RATE, epochs=1)
    return forge(start, images, labels, rate=_LEARNING_RATE, epochs=1, boost=_BOOST)
