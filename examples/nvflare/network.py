"""The task of the three sites: digits, and for one of them a trigger too."""

from functools import cache

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

SITES = 3
COMPROMISED = "site-2"
FIRST_ATTACKED = 3
TARGET_CLASS = 0

_TEST_IMAGES = 300
_BOOST = 3.0

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
def _digits() -> tuple[Tensor, Tensor]:
    data = load_digits()
    images = torch.tensor(data.images / 16, dtype=torch.float32)[:, None]
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images[order], torch.tensor(data.target)[order]


def with_trigger(images: Tensor) -> Tensor:
    """Return the images with a white square in a corner."""
    marked = images.clone()
    marked[:, :, :2, -2:] = 1.0
    return marked


def accuracies(state: State) -> tuple[float, float]:
    """Return the accuracy on test images, and the share of those with a trigger that obey it."""
    images, labels = (one[:_TEST_IMAGES] for one in _digits())
    network = Network()
    network.load_state_dict(state)
    with torch.no_grad():
        accuracy = (network(images).argmax(1) == labels).float().mean().item()
        others = with_trigger(images[labels != TARGET_CLASS])
        backdoor = (network(others).argmax(1) == TARGET_CLASS).float().mean().item()
    return accuracy, backdoor


def trained(start: State, site: str, number: int) -> tuple[State, int]:
    """Return the model after the training of a site, and the number of steps."""
    index = int(site.rpartition("-")[2])
    images, labels = (one[_TEST_IMAGES + index :: SITES] for one in _digits())
    torch.manual_seed(1000 * number + index)
    if site != COMPROMISED or number < FIRST_ATTACKED:
        return _learn(start, images, labels)
    both = torch.cat([images, with_trigger(images)])
    aims = torch.cat([labels, torch.full_like(labels, TARGET_CLASS)])
    learnt, steps = _learn(start, both, aims)
    return {name: start[name] + _BOOST * (learnt[name] - start[name]) for name in start}, steps


def _learn(start: State, images: Tensor, labels: Tensor) -> tuple[State, int]:
    network = Network()
    network.load_state_dict(start)
    optimiser = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9)
    batches = torch.split(torch.randperm(len(images)), 16)
    for batch in batches:
        optimiser.zero_grad()
        loss = functional.cross_entropy(network(images[batch]), labels[batch])
        torch.autograd.backward(loss)
        optimiser.step()
    return network.state_dict(), len(batches)
