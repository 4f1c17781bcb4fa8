"""Who gets which samples."""

import numpy as np
import numpy.typing as npt

from ariba_cli.federated.randomness import derived_seed

IndexArray = npt.NDArray[np.int64]


def iid(samples: int, participants: int, seed: int) -> list[IndexArray]:
    """Deal out all samples at random, as evenly as their number allows."""
    order = np.random.default_rng(derived_seed(seed, "partition")).permutation(samples)
    return [np.sort(part) for part in np.array_split(order, participants)]
