"""Local training and evaluation as one would write them in PyTorch, for those that are not ours."""

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
    """What came of a run: the quality of the model after each round, and how it was trained."""

    loss: list[float]
    accuracy: list[float]
    how: str


Run = Callable[[], Trained]


def train_locally(network: "torch.nn.Module", task: "Task") -> "State":
    """Train a network from the weights that it has; returns a copy of those that it comes to."""
    import torch
    from torch.nn.functional import cross_entropy

    network.train()
    images, labels = torch.from_numpy(task.images), torch.from_numpy(task.targets)
    optimizer = torch.optim.Adam(network.parameters(), lr=task.how.learning_rate)
    for batch in task.batches():
        optimizer.zero_grad()
        loss = cross_entropy(network(images[batch]), labels[batch])
        torch.autograd.backward(loss)
        optimizer.step()
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def note_quality(
    found: Trained, network: "torch.nn.Module", images: "FloatArray", labels: "LabelArray"
) -> None:
    """Add the loss and the accuracy of a network on the test set."""
    import torch
    from torch.nn.functional import cross_entropy

    network.eval()
    with torch.no_grad():
        pieces = torch.split(torch.from_numpy(images), _PIECE)
        logits = torch.cat([network(piece) for piece in pieces])
    right = torch.from_numpy(labels)
    found["loss"].append(float(cross_entropy(logits, right)))
    found["accuracy"].append(float((logits.argmax(dim=1) == right).double().mean()))
