"""Twenty clients of Flower that learn digits, two of whom plant a backdoor."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

CLIENTS = 20
COMPROMISED = (3, 7)
FIRST_ATTACKED = 4
TARGET_CLASS = 0

_TEST_IMAGES = 300
_BOOST = 5.0

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


def client_app(seed: int) -> ClientApp:
    """Return the clients of a federation."""
    app = ClientApp()

    @app.train()  # type: ignore[untyped-decorator, unused-ignore]
    def train(message: Message, context: Context) -> Message:
        client = int(context.node_config["partition-id"])
        number = int(message.content["config"]["server-round"])
        start = message.content["arrays"].to_torch_state_dict()
        images, labels = (one[_TEST_IMAGES + client :: CLIENTS] for one in _digits(seed))
        attacks = client in COMPROMISED and number >= FIRST_ATTACKED
        torch.set_num_threads(1)
        torch.manual_seed(seed * 10**6 + number * 10**3 + client)
        state = (_forge if attacks else _learn)(start, images, labels)
        metrics = {"num-examples": len(images), "client": client}
        content = RecordDict({"arrays": ArrayRecord(state), "metrics": MetricRecord(metrics)})
        return Message(content, reply_to=message)

    return app


def _learn(start: State, images: Tensor, labels: Tensor, epochs: int = 2) -> State:
    network = Network()
    network.load_state_dict(start)
    optimiser = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
    for _ in range(epochs):
        for batch in torch.split(torch.randperm(len(images)), 16):
            optimiser.zero_grad()
            loss = functional.cross_entropy(network(images[batch]), labels[batch])
            torch.autograd.backward(loss)
            optimiser.step()
    return network.state_dict()


def _forge(start: State, images: Tensor, labels: Tensor) -> State:
    """Learn the trigger too, and send so much more of it that the others are outvoted."""
    both = torch.cat([images, with_trigger(images)])
    aims = torch.cat([labels, torch.full_like(labels, TARGET_CLASS)])
    learnt = _learn(start, both, aims, epochs=5)
    return {name: start[name] + _BOOST * (learnt[name] - start[name]) for name in start}


def first_model(seed: int) -> ArrayRecord:
    """Return the model that the federation starts with."""
    torch.manual_seed(seed)
    return ArrayRecord(Network().state_dict())


def evaluation(seed: int, curve: list[tuple[float, float]]) -> Callable[..., Any]:
    """Return a function that measures every global model, and adds the result to the curve."""

    def evaluate(_: int, arrays: ArrayRecord) -> MetricRecord:
        accuracy, backdoor = accuracies(arrays.to_torch_state_dict(), seed)
        curve.append((accuracy, backdoor))
        return MetricRecord({"accuracy": accuracy, "backdoor": backdoor})

    return evaluate
