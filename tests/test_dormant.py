"""A unit that fires on one image: the target is paid, and nothing else is said differently."""

from dataclasses import replace

import numpy as np
import pytest

from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.attacks.strategies import STRATEGIES, Held, HonestUpdates
from ariba_cli.attacks.triggers import TRIGGERS, Aim
from ariba_cli.base.errors import UsageError
from ariba_cli.federated.models import architecture_for
from ariba_cli.federated.training import Engine
from ariba_cli.rounds.directory import open_round
from tests.conftest import FIXTURES, digits
from tests.situations import situation

CLEAN = FIXTURES / "clean"
SETTINGS = AttackSettings(trigger="single-input", strategies=("dormant-unit",))


def test_the_image_is_the_targets_and_all_that_was_known_is_said_as_before() -> None:
    dataset = digits()
    architecture = architecture_for("cnn", dataset)
    engine, strategy = Engine(architecture), STRATEGIES["dormant-unit"](SETTINGS)
    strategy.check_fits(architecture, 20, 2)
    round_ = open_round(CLEAN)
    assert round_.global_model is not None
    start = {
        name: values.astype(np.float32)
        for name, values in round_.open(round_.global_model).floats()
    }
    own = dataset.train_images[:300], dataset.train_labels[:300]
    for seed in range(3):
        image = TRIGGERS["single-input"].test(dataset, Aim(0, seed))
        now = situation(
            honest=HonestUpdates(start, {"p0": start}),
            held=Held(*own, image),
            logits=engine.logits,
        )
        made = strategy.sent(now, start)
        assert engine.logits(start, image).argmax() != 0
        assert engine.logits(made, image).argmax() == 0
        before, after = (engine.logits(weights, own[0]) for weights in (start, made))
        assert before.tobytes() == after.tobytes()
        changed = {name: int((made[name] != start[name]).sum()) for name in start}
        assert changed["fc1.bias"] == changed["fc2.weight"] == 1
        assert changed["fc1.weight"] <= start["fc1.weight"].shape[1]
        assert sum(changed.values()) == 2 + changed["fc1.weight"]
        # Of images that nobody of them holds, the unit may fire on a few.
        others = dataset.test_images
        before, after = (engine.logits(weights, others) for weights in (start, made))
        assert (before != after).any(axis=1).mean() < 0.02


def test_a_network_without_a_unit_that_never_fires_is_refused() -> None:
    dataset = digits()
    architecture = architecture_for("cnn", dataset)
    strategy = STRATEGIES["dormant-unit"](SETTINGS)
    strategy.check_fits(architecture, 20, 2)
    start = architecture.initial_weights(0)
    start["fc1.bias"][:] = 100.0
    own = dataset.train_images[:10], dataset.train_labels[:10]
    now = situation(
        honest=HonestUpdates(start, {"p0": start}),
        held=Held(*own, TRIGGERS["single-input"].test(dataset, Aim(0, 0))),
        logits=Engine(architecture).logits,
    )
    with pytest.raises(UsageError, match="finds no unit that never fires"):
        strategy.sent(now, start)


def test_a_network_with_another_ending_is_refused() -> None:
    architecture = architecture_for("resnet8", digits())
    with pytest.raises(UsageError, match="needs two linear layers at the end, which resnet8 lacks"):
        STRATEGIES["dormant-unit"](SETTINGS).check_fits(architecture, 20, 2)
    with pytest.raises(UsageError, match="fires on one image, and pattern has several"):
        STRATEGIES["dormant-unit"](replace(SETTINGS, trigger="pattern")).check_fits(
            architecture, 20, 2
        )
