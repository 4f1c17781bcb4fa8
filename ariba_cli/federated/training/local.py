"""What one participant does in a round: train the global model on its own samples."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ariba_cli.federated.datasets import Dataset, FloatArray, LabelArray
from ariba_cli.federated.models import Weights, build_cnn, load_weights, weights_of
from ariba_cli.registry import registered


@dataclass(frozen=True, kw_only=True)
class LocalTraining:
    """How a participant minimises the cross-entropy of its own samples.

    Attributes
    ----------
    optimizer : `adam` or `sgd`.
    epochs : passes over the samples.
    """

    optimizer: str
    epochs: int
    batch_size: int
    learning_rate: float


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: faster for models this small, and the same bytes every time."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Trainer:
    """Trains the model of one data set, again and again, from given weights."""

    def __init__(self, dataset: Dataset, *, hidden: int) -> None:
        self._model = build_cnn(dataset, hidden=hidden)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The model's tensors and their shapes."""
        return {name: tuple(value.shape) for name, value in self._model.state_dict().items()}

    def train(
        self,
        weights: Weights,
        images: FloatArray,
        targets: LabelArray | FloatArray,
        how: LocalTraining,
        *,
        seed: int,
    ) -> Weights:
        """The weights after local training; `seed` decides the order of the samples.

        Targets are labels of shape (samples,) or probabilities of shape (samples, classes).
        A participant without samples sends back the weights that it was given.
        """
        import torch
        from torch.nn.functional import cross_entropy

        load_weights(self._model, weights)
        algorithms = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
        algorithm = registered(algorithms, how.optimizer, kind="optimizer")
        optimizer = algorithm(self._model.parameters(), lr=how.learning_rate)
        order = torch.Generator().manual_seed(seed)
        x, y = torch.from_numpy(images), torch.from_numpy(targets)
        with one_thread():
            for _ in range(how.epochs):
                for batch in torch.split(torch.randperm(len(y), generator=order), how.batch_size):
                    optimizer.zero_grad()
                    torch.autograd.backward(cross_entropy(self._model(x[batch]), y[batch]))
                    optimizer.step()
        return weights_of(self._model)

    def probabilities(self, weights: Weights, images: FloatArray) -> FloatArray:
        """What the model with these weights says of images, of shape (samples, classes)."""
        import torch

        load_weights(self._model, weights)
        with torch.inference_mode(), one_thread():
            said = torch.softmax(self._model(torch.from_numpy(images)), dim=1)
        probabilities: FloatArray = said.numpy()
        return probabilities
