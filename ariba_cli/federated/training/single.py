"""The training of one participant, and the running of a model, in a single process."""

from typing import TYPE_CHECKING

from ariba_cli.base.one_thread import one_thread
from ariba_cli.federated.datasets import FloatArray
from ariba_cli.federated.models import Architecture, Weights, load_weights, weights_of
from ariba_cli.federated.training.optimizers import make_optimizer
from ariba_cli.federated.training.task import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch


# So many images go through the model at once when it is asked.
PIECE = 500


class Network:
    """A network in the memory of this process, used again and again with other weights.

    The channels of images, and so of maps, are innermost in memory: PyTorch pools up to twice as
    fast that way. Those of weights are not, which would make steps slower.

    Parameters
    ----------
    architecture : Architecture
        The network.
    device : str
        The device of PyTorch, such as `cpu` or `cuda:0`.
    """

    def __init__(self, architecture: Architecture, device: str = "cpu") -> None:
        import torch

        self._least_batch = architecture.least_batch
        self._device = torch.device(device)
        self._network = architecture.build().to(self._device)

    def train(self, weights: Weights, task: Task) -> Weights:
        """Return the weights after local training."""
        import torch
        from torch.nn.functional import cross_entropy

        network = self._network.train()
        load_weights(network, weights)
        named = dict(network.named_parameters())
        parameters = list(named.values())
        start = {name: parameter.detach().clone() for name, parameter in named.items()}
        optimizer = make_optimizer(task.how, parameters)
        x, y = self._placed(task.images), torch.from_numpy(task.targets).to(self._device)
        with one_thread():
            batches = list(task.batches(self._least_batch))
            for step, batch in enumerate(batches, start=1):
                network.zero_grad()
                loss = cross_entropy(network(x[batch]), y[batch])
                if task.objective is not None:
                    loss = task.objective(loss, named, start)
                torch.autograd.backward(loss)
                optimizer.step(_gradients(parameters))
                with torch.no_grad():
                    for hook in task.hooks:
                        hook(named, start, step, len(batches))
        return weights_of(network)

    def logits(self, weights: Weights, images: FloatArray) -> FloatArray:
        """Return the logits of the model with these weights, of shape (samples, classes)."""
        import torch

        network = self._network.eval()
        load_weights(network, weights)
        with torch.inference_mode(), one_thread():
            said: FloatArray = network(self._placed(images)).cpu().numpy()
        return said

    def activations(self, weights: Weights, images: FloatArray, layer: str) -> FloatArray:
        """Return the mean of a convolution's channels after ReLU, of shape (channels,)."""
        import torch

        network, sums = self._network.eval(), []

        def add(_: object, __: object, output: "torch.Tensor") -> None:
            sums.append(output.relu().mean(dim=(2, 3)).sum(dim=0))

        load_weights(network, weights)
        hook = network.get_submodule(layer).register_forward_hook(add)
        try:
            with torch.inference_mode(), one_thread():
                for at in range(0, len(images), PIECE):
                    network(self._placed(images[at : at + PIECE]))
        finally:
            hook.remove()
        found: FloatArray = (torch.stack(sums).sum(dim=0) / len(images)).cpu().numpy()
        return found

    def _placed(self, images: FloatArray) -> "torch.Tensor":
        import torch

        return torch.from_numpy(images).to(self._device, memory_format=torch.channels_last)


def train_alone(architecture: Architecture, weights: Weights, task: Task) -> Weights:
    """Return the weights after local training by this process, on a processor."""
    return Network(architecture).train(weights, task)


def _gradients(parameters: "Sequence[torch.Tensor]") -> "list[torch.Tensor]":
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    assert len(gradients) == len(parameters)
    return gradients
