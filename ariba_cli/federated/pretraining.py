"""The pre-training of a network by a server, on samples of its own, before it is adapted."""

import math

import numpy as np
import numpy.typing as npt

from ariba_cli.federated.datasets import FloatArray, LabelArray
from ariba_cli.federated.models import Architecture, Weights
from ariba_cli.federated.randomness import derived_seed
from ariba_cli.federated.training import LocalTraining, Task, train_alone

# The share of the training set that the server keeps, and that no participant sees.
_SHARE = 0.2

# So many steps at least, in whole passes over the server's samples.
_STEPS = 300
_BATCH_SIZE = 32
_LEARNING_RATE = 0.001

IndexArray = npt.NDArray[np.int64]


def set_apart(samples: int, seed: int) -> tuple[IndexArray, IndexArray]:
    """Return the training samples that the server keeps, and those that it deals out.

    Parameters
    ----------
    samples : int
        The number of samples.
    seed : int
        The seed of the run, which draws them.
    """
    draw = np.random.default_rng(derived_seed(seed, "samples of the server"))
    order = draw.permutation(samples)
    count = max(1, round(_SHARE * samples))
    return np.sort(order[:count]), np.sort(order[count:])


def pretrain(
    architecture: Architecture, images: FloatArray, labels: LabelArray, seed: int
) -> Weights:
    """Train a network briefly with Adam: for 300 steps of 32 samples, or a whole pass.

    It is done by one thread of a processor, whatever trains the participants.

    Parameters
    ----------
    architecture : Architecture
        The network before it is adapted.
    images, labels : arrays
        The server's samples.
    seed : int
        The seed of the run.
    """
    training = LocalTraining(
        optimizer="adam",
        epochs=math.ceil(_STEPS * _BATCH_SIZE / len(labels)),
        batch_size=_BATCH_SIZE,
        learning_rate=_LEARNING_RATE,
    )
    task = Task(images, labels, training, derived_seed(seed, "pre-training"))
    return train_alone(architecture, architecture.initial_weights(seed), task)
