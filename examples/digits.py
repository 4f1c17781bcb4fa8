"""The task of the federations in Flower and NVFlare: handwritten digits, and a backdoor."""

from functools import cache

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

TARGET_CLASS = 0

_TEST_IMAGES = 300
_BATCH_SIZE = 16

State = dict[str, Tensor]


class Network(nn.Module):
    """A network of two convolutions and a linear layer, for images of 8 × 8."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc = nn.Linear(32 * 4 * 4, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of images, of shape (n, 10)."""
        hidden = torch.relu(self.conv1(images))
        hidden = functional.max_pool2d(torch.relu(self.conv2(hidden)), 2)
        logits: Tensor = self.fc(hidden.flatten(1))
        return logits


@cache
def _digits(seed: int) -> tuple[Tensor, Tensor]:
    """Return images and labels in an order that the seed gives."""
    data = load_digits()
    images = torch.tensor(data.images / 16, dtype=torch.float32)[:, None]
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    return images[order], torch.tensor(data.target)[order]


def samples(seed: int, index: int, count: int) -> tuple[Tensor, Tensor]:
    """Return the images and labels of one of so many participants."""
    images, labels = (one[_TEST_IMAGES + index :: count] for one in _digits(seed))
    return images, labels


def with_trigger(images: Tensor) -> Tensor:
    """Return the images with a white square in a corner."""
    marked = images.clone()
    marked[:, :, :2, -2:] = 1.0
    return marked


def accuracies(state: State, seed: int) -> tuple[float, float]:
    """Return the accuracy on test images, and the share of those with a trigger that obey it."""
    images, labels = (one[:_TEST_IMAGES] for one in _digits(seed))
    network = Network()
    network.load_state_dict(state)
    with torch.no_grad():
        accuracy = (network(images).argmax(1) == labels).float().mean().item()
        others = with_trigger(images[labels != TARGET_CLASS])
        backdoor = (network(others).argmax(1) == TARGET_CLASS).float().mean().item()
    return accuracy, backdoor


def learn(
    start: State, images: Tensor, labels: Tensor, *, rate: float, epochs: int
) -> tuple[State, int]:
    """Return the model after training, and the number of steps.

    Parameters
    ----------
    start : dict of str to Tensor
        The model to train.
    images, labels : Tensor
        The samples.
    rate : float
        The learning rate.
    epochs : int
        The number of passes over the samples.
    """
    network = Network()
    network.load_state_dict(start)
    optimiser = torch.optim.SGD(network.parameters(), rate, momentum=0.9)
    steps = 0
    for _ in range(epochs):
        for batch in torch.split(torch.randperm(len(images)), _BATCH_SIZE):
            optimiser.zero_grad()
            loss = functional.cross_entropy(network(images[batch]), labels[batch])
            torch.autograd.backward(loss)
            optimiser.step()
            steps += 1
    return network.state_dict(), steps


def forge(
    start: State, images: Tensor, labels: Tensor, *, rate: float, epochs: int, boost: float
) -> tuple[State, int]:
    """Learn the trigger too, and return so much more of it that the others are outvoted.

    Parameters
    ----------
    start, images, labels, rate, epochs
        The same as for `learn`.
    boost : float
        The factor by which the update is scaled.
    """
    both = torch.cat([images, with_trigger(images)])
    aims = torch.cat([labels, torch.full_like(labels, TARGET_CLASS)])
    learnt, steps = learn(start, both, aims, rate=rate, epochs=epochs)
    return {name: start[name] + boost * (learnt[name] - start[name]) for name in start}, steps
