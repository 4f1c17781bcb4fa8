"""Local training: every engine does the same, and does it again."""

import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ariba_cli.attacks.strategies.anomalous import Constrained
from ariba_cli.base.errors import ResourceError, UsageError
from ariba_cli.cli.options.training import OptimizerName
from ariba_cli.federated.datasets import Dataset, load_dataset
from ariba_cli.federated.models import MODELS, Architecture, ImageShape, Weights, architecture_for
from ariba_cli.federated.models.architecture import load_weights
from ariba_cli.federated.models.convolution import convolution_3x3
from ariba_cli.federated.training import Engine, LocalTraining, Method, Task
from ariba_cli.federated.training import engine as engines
from ariba_cli.federated.training.optimizers import OPTIMIZERS, make_optimizer

if TYPE_CHECKING:
    import torch

ADAM = LocalTraining(optimizer="adam", epochs=2, batch_size=8, learning_rate=0.01)
SGD = LocalTraining(optimizer="sgd", epochs=2, batch_size=8, learning_rate=0.1)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def tasks(dataset: Dataset, sizes: list[int], how: LocalTraining) -> list[Task]:
    ends = np.cumsum(sizes)
    return [
        Task(dataset.train_images[end - size : end], dataset.train_labels[end - size : end], how, 7)
        for end, size in zip(ends, sizes, strict=True)
    ]


def distance(one: Weights, other: Weights) -> float:
    return max(float(np.abs(one[name] - other[name]).max()) for name in one)


UNEQUAL = [29, 28, 5, 0, 17, 30, 31, 1, 8, 16]


@pytest.mark.parametrize("objective", [None, Constrained("l2", 0.4), Constrained("cosine", 0.9)])
@pytest.mark.parametrize("how", [ADAM, SGD], ids=["adam", "sgd"])
def test_vectorised_training_is_that_of_one_after_the_other(
    digits: Dataset, how: LocalTraining, objective: Constrained | None
) -> None:
    architecture = architecture_for("cnn", digits)
    start = architecture.initial_weights(0)
    work = [replace(task, objective=objective) for task in tasks(digits, UNEQUAL, how)]
    one, other = (Engine(architecture, method, "cpu").train(start, work) for method in Method)
    for a, b, size in zip(one, other, UNEQUAL, strict=True):
        assert list(a) == list(b) == list(start)
        assert distance(a, b) < 1e-4
        assert (distance(a, start) > 1e-3) == (size > 0)


def test_batch_normalisation_is_vectorised_too(digits: Dataset) -> None:
    architecture = architecture_for("resnet18", digits)
    start = architecture.initial_weights(0)
    # A single sample that is left over goes with the batch before; one alone cannot be normalised.
    sizes = [8, 6, 9, 1, 8, 17, 8, 8, 0, 8]
    work = tasks(digits, sizes, replace(SGD, epochs=1, learning_rate=0.001))
    one, other = (Engine(architecture, method, "cpu").train(start, work) for method in Method)
    for a, b, size in zip(one, other, sizes, strict=True):
        assert distance(a, b) < 1e-3
        assert (distance(a, start) > 1e-2) == (size > 1)


def test_no_batch_is_smaller_than_it_may_be(digits: Dataset) -> None:
    for size in (1, 8, 9, 17):
        (task,) = tasks(digits, [size], replace(SGD, epochs=1))
        lengths = [len(batch) for batch in task.batches(2)]
        assert sum(lengths) == size
        assert lengths == {1: [1], 8: [8], 9: [9], 17: [8, 9]}[size]
        assert [len(batch) for batch in task.batches(1)] == [8] * (size // 8) + [1] * (size % 8)


@pytest.mark.parametrize("method", list(Method))
def test_the_gradient_is_that_of_pytorch(digits: Dataset, method: Method) -> None:
    import torch

    architecture = architecture_for("cnn", digits)
    start = architecture.initial_weights(0)
    images, labels = digits.train_images[:20], digits.train_labels[:20]
    engine = Engine(architecture, method, "cpu")
    found = engine.gradient(start, images, labels)
    engine.close()
    module = architecture.build()
    load_weights(module, start)
    said = module(torch.from_numpy(images))
    loss = torch.nn.functional.cross_entropy(said, torch.from_numpy(labels))
    parameters = dict(module.named_parameters())
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    for name, gradient in zip(parameters, gradients, strict=True):
        np.testing.assert_allclose(found[name], gradient.numpy(), atol=1e-6)


def test_probabilities_are_targets_as_well_as_labels(digits: Dataset) -> None:
    architecture = architecture_for("cnn", digits)
    start = architecture.initial_weights(0)
    (task,) = tasks(digits, [20], ADAM)
    certain = replace(task, targets=np.eye(10, dtype=np.float32)[task.targets.astype(int)])
    engine = Engine(architecture, None, "cpu")
    one, other = engine.train(start, [task, certain])
    assert distance(one, other) < 1e-5


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let processes be worth it for any work, on two cores at least."""
    monkeypatch.setattr(engines, "_WORTH_PROCESSES", 0)
    monkeypatch.setattr(engines, "cores", lambda: 2)
    before = set(multiprocessing.active_children())
    yield
    assert before.issuperset(multiprocessing.active_children())


@pytest.mark.usefixtures("eager")
def test_processes_give_the_same_bytes_as_this_one(digits: Dataset) -> None:
    architecture = architecture_for("cnn", digits)
    start = architecture.initial_weights(0)
    work = tasks(digits, [20, 10, 0, 15], ADAM)
    engine = Engine(architecture, Method.WORKERS, "cpu")
    done: list[int] = []
    beside = engine.train(start, work, done.append)
    said = engine.logits(start, digits.test_images[:7])
    engine.close()
    alone = Engine(architecture, Method.WORKERS, "cpu")
    assert done == [2, 3, 4]
    for one, task in zip(beside, work, strict=True):
        expected = alone._alone.train(start, task) if len(task.targets) else start
        assert all(np.array_equal(one[name], expected[name]) for name in start)
    np.testing.assert_array_equal(said, alone._alone.logits(start, digits.test_images[:7]))


@pytest.mark.usefixtures("eager")
def test_a_process_that_dies_is_one_line(digits: Dataset) -> None:
    architecture = architecture_for("cnn", digits)
    start = architecture.initial_weights(0)
    work = [replace(task, objective=Deadly()) for task in tasks(digits, [8, 8], ADAM)]
    engine = Engine(architecture, Method.WORKERS, "cpu")
    with pytest.raises(ResourceError, match="perhaps since memory ran out"):
        engine.train(start, work)
    engine.close()


class Deadly:
    """Ends the process that minimises it."""

    def __call__(self, loss: "torch.Tensor", parameters: object, start: object) -> "torch.Tensor":
        """Whatever the loss."""
        del loss, parameters, start
        os._exit(9)


@pytest.mark.parametrize(
    ("model", "shape", "expected"),
    [
        ("cnn", (1, 8, 8), Method.VECTORISED),
        ("cnn", (3, 32, 32), Method.WORKERS),
        ("cnn", (1, 28, 28), Method.WORKERS),
        ("transformer", (1, 8, 8), Method.VECTORISED),
        ("transformer", (1, 28, 28), Method.WORKERS),
        ("resnet18", (1, 8, 8), Method.WORKERS),
    ],
)
def test_the_engine_is_chosen_by_the_model_and_can_be_forced(
    model: str, shape: tuple[int, int, int], expected: Method
) -> None:
    architecture = Architecture(model, MODELS[model], ImageShape(*shape), 10)
    chosen = Engine(architecture, None, "cpu")
    assert (chosen.method, chosen.name) == (expected, f"{expected} on cpu")
    for method in Method:
        assert Engine(architecture, method, "cpu").method is method


@pytest.mark.parametrize(
    ("device", "error", "message"),
    [
        ("tpu", UsageError, "unknown device 'tpu'; use auto, cpu, cuda or cuda:N"),
        ("cuda:99", ResourceError, "not cuda:99; use cpu"),
        ("cuda:x", ResourceError, "not cuda:x; use cpu"),
    ],
)
def test_devices_that_are_not_there(
    digits: Dataset, device: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Engine(architecture_for("cnn", digits), None, device)


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 28, 28), (3, 32, 32), (3, 17, 40)])
def test_models_take_grey_and_colour_images_of_any_size(
    name: str, shape: tuple[int, int, int]
) -> None:
    architecture = Architecture(name, MODELS[name], ImageShape(*shape), 7)
    start = architecture.initial_weights(3)
    assert {key: value.shape for key, value in start.items()} == architecture.shapes()
    assert all(value.dtype == np.float32 for value in start.values())
    images = np.random.default_rng(0).random((2, *shape), np.float32)
    assert Engine(architecture, None, "cpu").logits(start, images).shape == (2, 7)


def test_resnet18_has_the_usual_names_and_size() -> None:
    shapes = Architecture("resnet18", MODELS["resnet18"], ImageShape(3, 32, 32), 1000).shapes()
    assert shapes["conv1.weight"] == (64, 3, 7, 7)
    assert shapes["layer3.0.conv1.weight"] == (256, 128, 3, 3)
    assert shapes["layer2.0.downsample.0.weight"] == (128, 64, 1, 1)
    assert shapes["layer4.1.bn2.running_var"] == (512,)
    assert shapes["fc.weight"] == (1000, 512)
    statistics = ("running_mean", "running_var")
    weights = {name: shape for name, shape in shapes.items() if not name.endswith(statistics)}
    # As torchvision documents it for 1,000 classes.
    assert sum(int(np.prod(shape)) for shape in weights.values()) == 11_689_512
    assert len(shapes) == 102


@pytest.mark.parametrize(
    ("name", "other", "options"),
    [
        ("adam", "Adam", {}),
        ("adam", "Adam", {"weight_decay": 0.1}),
        ("sgd", "SGD", {}),
        ("sgd", "SGD", {"momentum": 0.9}),
        ("sgd", "SGD", {"momentum": 0.5, "weight_decay": 0.1}),
    ],
)
def test_optimizers_are_those_of_pytorch(name: str, other: str, options: dict[str, Any]) -> None:
    import torch

    draw = torch.Generator().manual_seed(1)
    start = [torch.randn(shape, generator=draw) for shape in [(4, 3, 2), (4, 5)]]
    gradients = [[torch.randn(one.shape, generator=draw) for one in start] for _ in range(6)]
    ours, theirs = ([one.clone() for one in start] for _ in range(2))
    optimizer = make_optimizer(replace(ADAM, optimizer=name, **options), ours)
    expected = getattr(torch.optim, other)(theirs, lr=ADAM.learning_rate, fused=True, **options)
    for step in gradients:
        optimizer.step(step)
        for parameter, gradient in zip(theirs, step, strict=True):
            parameter.grad = gradient
        expected.step()
        assert all(map(torch.equal, ours, theirs))
    # The first rows go on alone, as they would beside the others.
    fewer = [one[:2] for one in ours]
    narrowed = optimizer.narrowed(fewer, 2)
    narrowed.step([gradient[:2] for gradient in gradients[0]])
    for parameter, gradient in zip(theirs, gradients[0], strict=True):
        parameter.grad = gradient
    expected.step()
    assert all(torch.equal(one, other[:2]) for one, other in zip(fewer, theirs, strict=True))


def test_every_optimizer_is_an_option() -> None:
    assert list(OPTIMIZERS) == [option.value for option in OptimizerName]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (8, 8), (1, 4), (5, 2)])
def test_the_3x3_convolution_is_that_of_pytorch(size: tuple[int, int], stride: int) -> None:
    import torch

    draw = torch.Generator().manual_seed(1)
    ours = convolution_3x3(3, 5, stride=stride).double()
    other = torch.nn.Conv2d(3, 5, 3, stride=stride, padding=1, bias=False).double()
    other.load_state_dict(ours.state_dict())
    images = torch.randn(2, 3, *size, generator=draw, dtype=torch.float64)
    for convolution in (ours, other):
        torch.autograd.backward((convolution(images) ** 3).sum())
    torch.testing.assert_close(ours(images), other(images))
    torch.testing.assert_close(ours.weight.grad, other.weight.grad)


def test_images_that_are_too_small_are_refused(digits: Dataset) -> None:
    tiny = replace(digits, train_images=digits.train_images[:, :, :3])
    with pytest.raises(UsageError, match="have 3×8 pixels; models need at least 4×4"):
        architecture_for("cnn", tiny)
