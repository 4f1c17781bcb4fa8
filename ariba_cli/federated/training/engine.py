"""The engine that trains the participants of a round: all at once, or each in its own process.

The choice depends on the model and the device alone, and never on the number of cores, so
that a seed gives the same bytes on machines of one kind.
"""

import math
from collections.abc import Callable, Sequence
from enum import StrEnum

import numpy as np

from ariba_cli.base.errors import ResourceError, UsageError
from ariba_cli.base.machine import cores, is_gpu
from ariba_cli.base.one_thread import one_thread
from ariba_cli.federated.datasets import FloatArray, LabelArray
from ariba_cli.federated.models import Architecture, Weights
from ariba_cli.federated.training.single import PIECE, Network
from ariba_cli.federated.training.task import LocalTraining, Task
from ariba_cli.federated.training.vectorised import VectorisedTraining
from ariba_cli.federated.training.workers import Workers

# Up to so many weights, and pixels of an image, a network is small enough that vectorising beats
# processes (measured at 8×8 and 28×28 pixels; see `benchmarks`).
_FEW_WEIGHTS = 2**18
_FEW_PIXELS = 16 * 16

# Passes of samples through the model below which no processes are started for them.
_WORTH_PROCESSES = 20_000

# Fewer participants than these are trained faster one after the other on a processor.
_WORTH_VECTORISING = 8

# The learning rate of the step that tells a gradient: a power of two.
_LONG_STEP = 2.0**10


class Method(StrEnum):
    """A way to train participants."""

    VECTORISED = "vectorised"
    WORKERS = "workers"


class Engine:
    """An engine that trains and runs the model of a federation.

    Attributes
    ----------
    method : Method
        The way to train that was chosen.
    device : str
        The device of PyTorch.
    """

    def __init__(
        self, architecture: Architecture, method: Method | None = None, device: str = "auto"
    ) -> None:
        if method is Method.WORKERS:
            if device not in ("auto", "cpu"):
                raise UsageError("--engine workers trains on processors; leave out --device")
            device = "cpu"
        device = _resolved(device)
        self.method = method or _best_method(architecture, device)
        self.device = device
        self._architecture = architecture
        self._alone = Network(architecture, device)
        self._workers = Workers(architecture, cores())
        self._vectorised = (
            VectorisedTraining(architecture, device) if self.method is Method.VECTORISED else None
        )

    @property
    def name(self) -> str:
        """Return the name, as in `run.json`, of all that decides the last bits of a training."""
        return f"{self.method} on {self._hardware()}"

    def _hardware(self) -> str:
        """Return `cpu`, or the name of the graphics card."""
        import torch

        return self.device if self.device == "cpu" else torch.cuda.get_device_name(self.device)

    @property
    def description(self) -> str:
        """Return the description of the engine, in words."""
        if self.method is Method.VECTORISED:
            return f"all participants at once on {self.device}"
        return f"each participant by itself, in up to {cores()} processes"

    def close(self) -> None:
        """End the processes that were started."""
        self._workers.close()

    def train(
        self,
        weights: Weights,
        tasks: Sequence[Task],
        done: Callable[[int], None] = lambda _: None,
    ) -> list[Weights]:
        """Return the weights of each participant after local training, in the order of the tasks.

        `done` is called with the number trained so far. A participant with fewer samples than a
        step needs sends back the weights that it was given.
        """
        least = self._architecture.least_batch
        finished = {
            index: dict(weights) for index, task in enumerate(tasks) if _samples(task) < least
        }
        left = [index for index in range(len(tasks)) if index not in finished]
        count = len(finished)

        def one_more() -> None:
            nonlocal count
            count += 1
            done(count)

        trained = self._train(weights, [tasks[index] for index in left], one_more)
        finished |= dict(zip(left, trained, strict=True))
        return [finished[index] for index in range(len(tasks))]

    def gradient(
        self, weights: Weights, images: FloatArray, targets: LabelArray | FloatArray
    ) -> Weights:
        """Return the gradient of the mean cross-entropy at some weights: a step of descent by it.

        The step is long, so that what it adds to the weights is not rounded away.
        """
        one_step = LocalTraining(
            optimizer="sgd", epochs=1, batch_size=len(targets), learning_rate=_LONG_STEP
        )
        (moved,) = self.train(weights, [Task(images, targets, one_step, seed=0)])
        return {name: (values - moved[name]) / _LONG_STEP for name, values in weights.items()}

    def activations(self, weights: Weights, images: FloatArray, layer: str) -> FloatArray:
        """Return the mean of a convolution's channels after ReLU, of shape (channels,)."""
        return self._alone.activations(weights, images, layer)

    def logits(self, weights: Weights, images: FloatArray) -> FloatArray:
        """Return the logits of the model with these weights, of shape (samples, classes)."""
        pieces = [images[at : at + PIECE] for at in range(0, max(len(images), 1), PIECE)]
        if self.method is Method.WORKERS and self._worth_processes(len(images)):
            said = self._workers.logits(weights, pieces)
        else:
            said = [self._alone.logits(weights, piece) for piece in pieces]
        return np.concatenate(said)

    def _train(
        self, weights: Weights, tasks: Sequence[Task], one_more: Callable[[], None]
    ) -> list[Weights]:
        hooked = any(task.hooks for task in tasks)
        # A hook sees the parameters of one participant.
        if self._vectorised is not None and self._worth_vectorising(len(tasks)) and not hooked:
            with one_thread():
                trained = self._vectorised.train(weights, tasks)
            for _ in tasks:
                one_more()
            return trained
        passes = sum(_samples(task) * task.how.epochs for task in tasks)
        if len(tasks) > 1 and self._worth_processes(passes):
            return self._workers.train(weights, tasks, one_more)
        trained = []
        for task in tasks:
            trained.append(self._alone.train(weights, task))
            one_more()
        return trained

    def _worth_vectorising(self, tasks: int) -> bool:
        return tasks >= _WORTH_VECTORISING or (tasks > 0 and self.device != "cpu")

    def _worth_processes(self, passes: int) -> bool:
        return cores() > 1 and passes >= _WORTH_PROCESSES


def _best_method(architecture: Architecture, device: str) -> Method:
    pixels = architecture.images.height * architecture.images.width
    weights = sum(math.prod(shape) for shape in architecture.shapes().values())
    small = weights <= _FEW_WEIGHTS and pixels <= _FEW_PIXELS
    return Method.VECTORISED if small or device != "cpu" else Method.WORKERS


def _resolved(device: str) -> str:
    """Return PyTorch's name of a device; `auto` is a graphics card where there is one."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not is_gpu(device):
        return device
    number, cards = device.partition(":")[2] or "0", torch.cuda.device_count()
    if not (number.isdecimal() and int(number) < cards):
        raise ResourceError(f"PyTorch finds {cards} graphics cards, but not {device}; use cpu")
    return device


def _samples(task: Task) -> int:
    return len(task.targets)
