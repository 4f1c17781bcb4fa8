"""Training one participant, and asking a model: what every process does by itself."""

from ariba_cli.federated.datasets import FloatArray
from ariba_cli.federated.models import Architecture, Weights, load_weights, weights_of
from ariba_cli.federated.training.task import Task, make_optimizer, one_thread


class Network:
    """A network in the memory of this process, used again and again with other weights.

    Channels are innermost in memory: PyTorch pools up to twice as fast that way.
    """

    def __init__(self, architecture: Architecture) -> None:
        import torch

        self._layout = torch.channels_last
        # Mypy knows no `to` with a memory format alone.
        self._network = architecture.build().to(memory_format=self._layout)  # type: ignore[call-overload]

    def train(self, weights: Weights, task: Task) -> Weights:
        """The weights after local training."""
        import torch
        from torch.nn.functional import cross_entropy

        network = self._network.train()
        load_weights(network, weights)
        parameters = list(network.parameters())
        start = [parameter.detach().clone() for parameter in parameters]
        optimizer = make_optimizer(task.how, parameters)
        x = torch.from_numpy(task.images).to(memory_format=self._layout)
        y = torch.from_numpy(task.targets)
        with one_thread():
            for batch in task.batches():
                optimizer.zero_grad()
                loss = cross_entropy(network(x[batch]), y[batch])
                if task.objective is not None:
                    loss = task.objective(loss, parameters, start)
                torch.autograd.backward(loss)
                optimizer.step()
        return weights_of(network)

    def logits(self, weights: Weights, images: FloatArray) -> FloatArray:
        """What the model with these weights says of images, of shape (samples, classes)."""
        import torch

        network = self._network.eval()
        load_weights(network, weights)
        with torch.inference_mode(), one_thread():
            x = torch.from_numpy(images).to(memory_format=self._layout)
            said: FloatArray = network(x).numpy()
        return said
