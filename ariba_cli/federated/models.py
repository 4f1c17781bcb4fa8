"""The networks that a federation trains, by name."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ariba_cli.federated.datasets import Dataset
from ariba_cli.federated.randomness import derived_seed

if TYPE_CHECKING:
    import torch

Weights = dict[str, npt.NDArray[np.float32]]


def build_cnn(dataset: Dataset, *, hidden: int) -> "torch.nn.Module":
    """The 4-layer CNN: `conv1`, `conv2` (3×3, 16 and 32 channels), `fc1`, `fc2`.

    Each convolution is followed by ReLU and a 2×2 max-pool; `hidden` is the width of `fc1`.
    """
    from collections import OrderedDict

    from torch import nn

    channels, height, width = dataset.train_images.shape[1:]
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, 16, 3, padding=1),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(16, 32, 3, padding=1),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(32 * (height // 4) * (width // 4), hidden),
            relu3=nn.ReLU(),
            fc2=nn.Linear(hidden, dataset.classes),
        )
    )


def initial_weights(dataset: Dataset, *, hidden: int, seed: int) -> Weights:
    """The weights from which a federation starts, drawn from the run's seed alone."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(seed, "initial weights"))
        return weights_of(build_cnn(dataset, hidden=hidden))


def weights_of(model: "torch.nn.Module") -> Weights:
    """A copy of a model's weights, by tensor name, in model order."""
    return {name: tensor.detach().numpy().copy() for name, tensor in model.state_dict().items()}


def load_weights(model: "torch.nn.Module", weights: Weights) -> None:
    """Put weights into a model."""
    import torch

    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
