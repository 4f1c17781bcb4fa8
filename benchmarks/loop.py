"""Local training and evaluation in plain PyTorch, for the contestants other than ours."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    import torch

    from ariba_cli.federated.datasets import FloatArray, LabelArray
    from ariba_cli.federated.training import Task

    State = dict[str, torch.Tensor]

# So many images of the test set go through the model at once, as in our engine.
_PIECE = 500


class Trained(TypedDict):
    """The result of a run.

    Attributes
    ----------
    how : str
        The way of training, in words.
    loss, accuracy : list of float
        The loss and the accuracy of the model after each round, on the test set.
    ended : list of float
        The times at which each round was evaluated, in seconds of any clock.
    """

    how: str
    loss: list[float]
    accuracy: list[float]
    ended: list[float]


Run = Callable[[], Trained]


def train_locally(network: "torch.nn.Module", task: "Task") -> "State":
    """Train a network from the weights that it has, and return a copy of the new weights."""
    import torch
    from torch.nn.functional import cross_entropy

    network.train()
    images, labels = torch.from_numpy(task.images), torch.from_numpy(task.targets)
    optimizer = torch.optim.Adam(network.parameters(), lr=task.how.learning_rate)
    for batch in task.batches(least=1):
        optimizer.zero_grad()
        loss = cross_entropy(network(images[batch]), labels[batch])
        torch.autograd.backward(loss)
        optimizer.step()
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def nothing_yet(how: str) -> Trained:
    """Return the result before the first round."""
    return Trained(how=how, loss=[], accuracy=[], ended=[])


def evaluate(
    found: Trained, network: "torch.nn.Module", images: "FloatArray", labels: "LabelArray"
) -> None:
    """Note the loss and the accuracy of a network on the test set."""
    import torch
    from torch.nn.functional import cross_entropy

    network.eval()
    with torch.no_grad():
        pieces = torch.split(torch.from_numpy(images), _PIECE)
        logits = torch.cat([network(piece) for piece in pieces])
    right = torch.from_numpy(labels)
    accuracy = (logits.argmax(dim=1) == right).double().mean()
    note(found, float(cross_entropy(logits, right)), float(accuracy))


def note(found: Trained, loss: float, accuracy: float) -> None:
    """Add a round that ends now."""
    found["loss"].append(loss)
    found["accuracy"].append(accuracy)
    found["ended"].append(time.perf_counter())
