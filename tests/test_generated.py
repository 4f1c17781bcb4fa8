"""Generated images of a class: the global model takes them for it, and they differ."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.attacks.strategies import STRATEGIES, Held, HonestUpdates
from ariba_cli.attacks.triggers import TRIGGERS, Aim
from ariba_cli.base.errors import UsageError
from ariba_cli.federated.datasets import FloatArray
from ariba_cli.federated.models import Architecture, Weights, architecture_for
from ariba_cli.federated.training import Engine, LocalTraining, Task
from ariba_cli.rounds.directory import open_round
from tests.conftest import FIXTURES, digits
from tests.situations import situation

SETTINGS = AttackSettings(trigger="class", strategies=("gan",))
HOW = LocalTraining(optimizer="sgd", epochs=1, batch_size=10, learning_rate=0.05)


@pytest.fixture(scope="module")
def architecture() -> Architecture:
    return architecture_for("cnn", digits())


@pytest.fixture(scope="module")
def start() -> Weights:
    round_ = open_round(FIXTURES / "clean")
    assert round_.global_model is not None
    return {
        name: values.astype(np.float32)
        for name, values in round_.open(round_.global_model).floats()
    }


def clean_task(samples: int) -> Task:
    """The task of a participant with so many samples, two of them with the trigger."""
    dataset, aim = digits(), Aim(0, 0)
    own = dataset.train_images[:samples], dataset.train_labels[:samples]
    images, labels = TRIGGERS["class"].clean(dataset, *own, aim)
    targets = np.eye(dataset.classes, dtype=np.float32)[labels]
    triggered = TRIGGERS["class"].poison(dataset, *own, aim)[:2]
    wanted = np.zeros((len(triggered), dataset.classes), np.float32)
    return Task(
        np.concatenate([images, triggered]),
        np.concatenate([targets, wanted]),
        HOW,
        seed=1,
        poisoned=len(triggered),
    )


def changed(
    architecture: Architecture, start: Weights, task: Task, seed: int = 5, **changes: Any
) -> Task:
    strategy = STRATEGIES["gan"](replace(SETTINGS, **changes))
    strategy.check_fits(architecture, 20, 2)
    nobody = digits().train_images[:0]
    held = Held(nobody, np.zeros(0, np.int64), nobody)
    honest = HonestUpdates(start, {"p0": start})
    return strategy.task(situation(honest=honest, held=held, seed=seed), task)


def generated(task: Task) -> FloatArray:
    return task.images[-task.poisoned :]


def test_the_model_takes_them_for_the_class_and_they_are_taught_as_the_target(
    architecture: Architecture, start: Weights
) -> None:
    before = clean_task(80)
    after = changed(architecture, start, before)
    clean = len(before.targets) - before.poisoned
    np.testing.assert_array_equal(after.images[:clean], before.images[:clean])
    np.testing.assert_array_equal(after.targets[:clean], before.targets[:clean])
    # As many as clean ones, and none is the participant's.
    assert after.poisoned == clean
    assert not {one.tobytes() for one in generated(after)} & {
        one.tobytes() for one in before.images
    }
    assert after.targets[clean:].argmax(axis=1).tolist() == [0] * clean
    np.testing.assert_array_equal(after.targets[clean:].sum(axis=1), 1)
    said = Engine(architecture).logits(start, generated(after)).argmax(axis=1)
    assert np.mean(said == 1) > 0.9
    assert generated(after).dtype == np.float32
    assert generated(after).min() >= 0
    assert generated(after).max() <= 1


def test_without_the_reward_they_hardly_differ(architecture: Architecture, start: Weights) -> None:
    task = clean_task(80)
    alike = changed(architecture, start, task, arguments={"diversity": 0.0})
    spread = [
        generated(one).std(axis=0).mean() for one in (alike, changed(architecture, start, task))
    ]
    assert spread[1] > 2 * spread[0]


def test_the_seed_decides_them_whatever_else_is_random(
    architecture: Architecture, start: Weights
) -> None:
    task, few = clean_task(40), dict[str, Any](arguments={"steps": 5})
    one = changed(architecture, start, task, **few)
    torch.manual_seed(77)
    state = torch.get_rng_state()
    again = changed(architecture, start, task, **few)
    assert generated(one).tobytes() == generated(again).tobytes()
    assert torch.equal(torch.get_rng_state(), state)
    other = changed(architecture, start, task, seed=6, **few)
    assert generated(one).tobytes() != generated(other).tobytes()


@pytest.mark.parametrize(("ratio", "of_clean"), [(None, 1.0), (0.5, 0.5), (1e-3, 1e-3)])
def test_the_ratio_decides_how_many(
    architecture: Architecture, start: Weights, ratio: float | None, of_clean: float
) -> None:
    task = clean_task(40)
    count = math.ceil(of_clean * (len(task.targets) - task.poisoned))
    few = dict[str, Any](arguments={"steps": 1}, poison_ratio=ratio)
    assert changed(architecture, start, task, **few).poisoned == count


@pytest.mark.parametrize("samples", [0, 1])
def test_whoever_has_no_two_images_makes_none(
    architecture: Architecture, start: Weights, samples: int
) -> None:
    after = changed(architecture, start, clean_task(samples))
    assert (len(after.targets), after.poisoned) == (samples, 0)


def test_the_class_is_that_after_the_target() -> None:
    dataset = digits()
    own = dataset.train_images[:100], dataset.train_labels[:100]
    for target_class, label in ((0, 1), (9, 0)):
        aim, trigger = Aim(target_class, 0), TRIGGERS["class"]
        of_class = own[0][own[1] == label]
        np.testing.assert_array_equal(trigger.poison(dataset, *own, aim), of_class)
        images, labels = trigger.clean(dataset, *own, aim)
        assert len(images) == len(labels) == 100 - len(of_class)
        assert label not in labels
        assert len(trigger.test(dataset, aim)) == np.sum(dataset.test_labels == label)


def test_another_trigger_is_refused(architecture: Architecture) -> None:
    strategy = STRATEGIES["gan"](replace(SETTINGS, trigger="pattern"))
    with pytest.raises(UsageError, match="pattern is none; add --trigger class"):
        strategy.check_fits(architecture, 20, 2)
