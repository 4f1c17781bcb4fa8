"""The training of all participants at once, as one more dimension of every tensor (torch.func).

It is for networks so small that calling PyTorch costs more than its arithmetic, and for graphics
cards, which one participant alone does not fill.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ariba_cli.federated.models import Architecture, Weights
from ariba_cli.federated.training.optimizers import make_optimizer
from ariba_cli.federated.training.task import LocalTraining, Objective, Task

if TYPE_CHECKING:
    import torch

    Stacked = dict[str, torch.Tensor]
    Gradients = Callable[..., Stacked]


class VectorisedTraining:
    """A trainer of many participants from the same weights, each on its own samples.

    Parameters
    ----------
    architecture : Architecture
        The network.
    device : str
        The device of PyTorch, such as `cpu` or `cuda:0`.
    """

    def __init__(self, architecture: Architecture, device: str) -> None:
        import torch

        self._least_batch = architecture.least_batch
        self._network = architecture.build().to(device)
        self._device = torch.device(device)
        self._names = [name for name, _ in self._network.named_parameters()]

    def train(self, weights: Weights, tasks: Sequence[Task]) -> list[Weights]:
        """Return the weights of each after local training, in the order of the tasks.

        All tasks train in the same way, and each has samples.
        """
        # Those with most steps first: whoever still trains is then the first so many.
        batches = [list(task.batches(self._least_batch)) for task in tasks]
        order = sorted(range(len(tasks)), key=lambda index: (-len(batches[index]), index))
        stack = _Stack(
            self, weights, [tasks[index] for index in order], [batches[index] for index in order]
        )
        trained = stack.train()
        return [trained[order.index(index)] for index in range(len(tasks))]

    def _gradients(self, objective: Objective | None) -> "Gradients":
        """Return the function of many participants' gradients, each by its own parameters."""
        import torch
        from torch.func import functional_call, grad, vmap
        from torch.nn.functional import cross_entropy

        def loss(
            parameters: "Stacked",
            buffers: "Stacked",
            start: "Stacked",
            x: torch.Tensor,
            y: torch.Tensor,
        ) -> torch.Tensor:
            said = functional_call(self._network, (parameters, buffers), (x,))
            value = cross_entropy(said, y)
            if objective is None:
                return value
            return objective(value, parameters, start)

        gradients: Gradients = vmap(grad(loss), in_dims=(0, 0, None, 0, 0))
        return gradients


class _Stack:
    """The tensors of many participants, one above the other."""

    def __init__(
        self,
        training: VectorisedTraining,
        weights: Weights,
        tasks: Sequence[Task],
        batches: "Sequence[Sequence[torch.Tensor]]",
    ) -> None:
        import torch

        device, names = training._device, training._names
        self._batches = batches
        self._x = [torch.from_numpy(task.images).to(device) for task in tasks]
        self._y = [torch.from_numpy(task.targets).to(device) for task in tasks]
        self._how: LocalTraining = tasks[0].how
        given = {name: torch.from_numpy(values).to(device) for name, values in weights.items()}
        self._names = list(weights)
        self._start = {name: given[name] for name in names}
        self._parameters = {name: _repeated(given[name], len(tasks)) for name in names}
        others = [name for name in weights if name not in self._start]
        self._buffers = {name: _repeated(given[name], len(tasks)) for name in others}
        self._gradients = training._gradients(tasks[0].objective)
        training._network.train()

    def train(self) -> list[Weights]:
        """Return the weights after all steps, with ever fewer who still have samples to see."""
        steps = [len(batches) for batches in self._batches]
        active = self._parameters
        optimizer = make_optimizer(self._how, list(active.values()))
        for step in range(max(steps)):
            count = sum(step < own for own in steps)
            if count < len(next(iter(active.values()))):
                # The first so many alone, as views of the same memory.
                active = {name: self._parameters[name][:count] for name in active}
                optimizer = optimizer.narrowed(list(active.values()), count)
            gradients = self._gradients_of(active, step)
            optimizer.step([gradients[name] for name in active])
        return self._unstacked()

    def _gradients_of(self, active: "Stacked", step: int) -> "Stacked":
        """Return the gradients of one step, those with batches of the same size together."""
        import torch

        count = len(next(iter(active.values())))
        gradients = {name: torch.empty_like(tensor) for name, tensor in active.items()}
        by_size = defaultdict(list)
        for row in range(count):
            by_size[len(self._batches[row][step])].append(row)
        for rows in by_size.values():
            batches = [self._batches[row][step] for row in rows]
            x = torch.stack([self._x[row][b] for row, b in zip(rows, batches, strict=True)])
            y = torch.stack([self._y[row][b] for row, b in zip(rows, batches, strict=True)])
            everybody = len(rows) == count
            where = slice(count) if everybody else rows
            parameters = {name: tensor[where] for name, tensor in active.items()}
            buffers = {name: tensor[where] for name, tensor in self._buffers.items()}
            found = self._gradients(parameters, buffers, self._start, x, y)
            for name, tensor in gradients.items():
                tensor[where] = found[name]
            if not everybody:
                for name, tensor in buffers.items():
                    self._buffers[name][where] = tensor
        return gradients

    def _unstacked(self) -> list[Weights]:
        stacked = {
            name: (self._parameters | self._buffers)[name].cpu().numpy() for name in self._names
        }
        count = len(self._batches)
        return [
            {name: np.ascontiguousarray(values[row]) for name, values in stacked.items()}
            for row in range(count)
        ]


def _repeated(tensor: "torch.Tensor", count: int) -> "torch.Tensor":
    return tensor.expand(count, *tensor.shape).clone()
