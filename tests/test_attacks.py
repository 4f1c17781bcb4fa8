"""Attacks on the clean fixture round: they work, and they change nothing else."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ariba_cli.aggregation.in_memory import next_model
from ariba_cli.attacks.attacker import Attacker
from ariba_cli.attacks.backdoor import aim_of
from ariba_cli.attacks.outcome import Forged
from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.attacks.strategies import STRATEGIES, HonestUpdates, arguments_of, update_norm
from ariba_cli.attacks.strategies.honest import moved
from ariba_cli.attacks.triggers import TRIGGERS, Aim
from ariba_cli.attacks.triggers.distributed import PARTS, with_bars
from ariba_cli.attacks.triggers.pattern import with_square
from ariba_cli.attacks.triggers.semantic import green_cars, lean
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.federated.federation import Federation, FederationSettings
from ariba_cli.federated.models import Weights
from ariba_cli.federated.quality import agreement
from ariba_cli.federated.training import LocalTraining, Task
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.inspection import InspectedRound, inspect_round
from ariba_cli.rounds.truth import read_truth
from ariba_cli.runs.forging import forge
from ariba_cli.runs.plan import Keep, Plan
from ariba_cli.runs.run_file import read_run
from ariba_cli.runs.simulation import simulate
from tests.conftest import FIXTURES, digits
from tests.situations import NOTHING, situation

CLEAN = FIXTURES / "clean"
# Half of the usual epochs, after which every attack works, too.
FEWER = LocalTraining(optimizer="sgd", epochs=20, batch_size=5, learning_rate=0.05)
# For what does not depend on how well an attack works.
SHORT = LocalTraining(optimizer="sgd", epochs=2, batch_size=10, learning_rate=0.05)


@dataclass(frozen=True)
class Target:
    """An attack, and what must come of it.

    Attributes
    ----------
    backdoor_accuracy : between these is X'% after plain FedAvg.
    accuracy : the least after it; before, it is 0.975.
    norm_ratio : between these is every compromised update's norm, in medians of the honest ones.
    """

    trigger: str
    strategies: tuple[str, ...]
    backdoor_accuracy: tuple[float, float]
    accuracy: float
    norm_ratio: tuple[float, float]


# Two of twenty participants with 72 images of digits each. Alone, no strategy that keeps an update
# near those of the others gets a backdoor through in one round: they outvote it.
TARGETS = [
    Target("pattern", ("replacement",), (0.9, 1.0), 0.9, (10, 25)),
    Target("targeted", ("replacement",), (0.2, 1.0), 0.7, (10, 25)),
    Target("semantic", ("replacement",), (0.6, 1.0), 0.8, (10, 35)),
    Target("edge-case", ("replacement",), (0.8, 1.0), 0.85, (10, 35)),
    Target("trojan", ("replacement",), (0.9, 1.0), 0.85, (10, 25)),
    # It costs the accuracy on that class, a tenth of all images.
    Target("class", ("replacement",), (0.7, 1.0), 0.7, (10, 25)),
    Target("class", ("gan",), (0.0, 0.1), 0.95, (1.0, 3.0)),
    Target("class", ("gan", "replacement"), (0.5, 1.0), 0.7, (10, 25)),
    # Two of four have their bar, and the whole is tested.
    Target("dba", ("replacement",), (0.1, 1.0), 0.85, (10, 25)),
    Target("pattern", (), (0.0, 0.1), 0.95, (1.0, 3.0)),
    Target("pattern", ("label-flipping",), (0.0, 0.1), 0.95, (1.0, 3.0)),
    Target("pattern", ("anomalous",), (0.0, 0.1), 0.95, (0.3, 1.5)),
    Target("pattern", ("neurotoxin",), (0.0, 0.1), 0.95, (1.0, 3.0)),
    Target("pattern", ("model-reuse",), (0.0, 0.1), 0.95, (1.0, 6.0)),
    Target("pattern", ("alternating",), (0.0, 0.1), 0.95, (1.0, 3.0)),
    Target("pattern", ("pgd",), (0.0, 0.1), 0.95, (0.99, 1.001)),
    Target("pattern", ("critical-layers",), (0.0, 0.1), 0.95, (1.0, 3.0)),
    Target("pattern", ("norm-matching",), (0.0, 0.1), 0.95, (0.999, 1.001)),
    # Nothing is trained, and two of twenty change little unless they are long.
    Target("pattern", ("noise",), (0.0, 0.1), 0.95, (0.999, 1.001)),
    Target("pattern", ("sign-flip",), (0.0, 0.1), 0.95, (0.2, 0.3)),
    Target("pattern", ("ipm",), (0.0, 0.1), 0.95, (0.4, 0.6)),
    Target("pattern", ("alie",), (0.0, 0.1), 0.95, (0.2, 0.5)),
    Target("pattern", ("min-max",), (0.0, 0.1), 0.95, (1.0, 1.5)),
    Target("pattern", ("min-sum",), (0.0, 0.1), 0.95, (1.0, 1.5)),
    Target("pattern", ("mimic",), (0.0, 0.1), 0.95, (0.8, 1.5)),
    # The image is another class's, and without training nothing else changes.
    Target("single-input", ("replacement",), (0.0, 1.0), 0.7, (5, 25)),
    Target("single-input", ("dormant-unit",), (0.0, 1.0), 0.95, (1.0, 1000)),
    Target("single-input", ("dormant-unit", "replacement"), (1.0, 1.0), 0.95, (10, 10_000)),
    # Together.
    Target("pattern", ("anomalous", "replacement"), (0.5, 1.0), 0.9, (4, 15)),
    Target("pattern", ("label-flipping", "replacement"), (0.9, 1.0), 0.5, (10, 25)),
    Target("pattern", ("model-reuse", "replacement"), (0.6, 1.0), 0.95, (20, 60)),
    Target("pattern", ("pgd", "replacement"), (0.8, 1.0), 0.9, (9.9, 10.01)),
    Target("pattern", ("critical-layers", "replacement"), (0.8, 1.0), 0.85, (10, 25)),
    Target("pattern", ("noise", "replacement"), (0.0, 0.6), 0.1, (9.99, 10.01)),
]


@dataclass(frozen=True)
class CleanRound:
    """The honest fixture, read once: its federation, θ^t, and what everybody sends."""

    federation: Federation
    start: Weights
    sent: dict[str, Weights]


def once(train: Callable[..., list[Weights]]) -> Callable[..., list[Weights]]:
    """Training that is done once, where several rows of the table train the same."""
    known: dict[object, list[Weights]] = {}

    def trained(start: Weights, tasks: list[Task], *rest: Any) -> list[Weights]:
        if any(task.hooks or task.objective for task in tasks):
            return train(start, tasks, *rest)
        key = tuple((t.how, t.seed, t.images.tobytes(), t.targets.tobytes()) for t in tasks)
        if key not in known:
            known[key] = train(start, tasks, *rest)
        return known[key]

    return trained


@pytest.fixture(scope="module")
def clean() -> Iterator[CleanRound]:
    round_ = open_round(CLEAN)
    assert round_.global_model is not None
    with read_run(CLEAN).federation() as federation, pytest.MonkeyPatch.context() as patch:
        patch.setattr(federation.engine, "train", once(federation.engine.train))
        start = dict(round_.open(round_.global_model).floats())
        sent = {one.id: dict(round_.open(one).floats()) for one in round_.participants}
        yield CleanRound(federation, start, sent)


def attack(out: Path, settings: AttackSettings) -> tuple[Forged, InspectedRound]:
    forged = forge(open_round(CLEAN), read_run(CLEAN), out, settings)
    return forged, inspect_round(open_round(out))


@pytest.mark.parametrize(
    "target", TARGETS, ids=lambda target: "-".join((target.trigger, *target.strategies))
)
def test_attacks_do_what_they_are_for(clean: CleanRound, target: Target) -> None:
    settings = AttackSettings(
        trigger=target.trigger, strategies=target.strategies, seed=3, training=FEWER
    )
    attacker = Attacker(clean.federation, settings)
    honest = {n: sent for n, sent in clean.sent.items() if n not in attacker.compromised}
    forged = attacker.updates(clean.start, honest, 60, own=clean.sent)
    assert attacker.backdoor_accuracy(clean.start) < 0.05
    after = attacker.measure(next_model(clean.start, clean.sent | forged, 1.0))
    least, most = target.backdoor_accuracy
    assert least <= after.backdoor_accuracy <= most
    assert after.accuracy >= target.accuracy
    median = np.median([update_norm(clean.start, sent) for sent in honest.values()])
    for sent in forged.values():
        assert target.norm_ratio[0] <= update_norm(clean.start, sent) / median
        assert update_norm(clean.start, sent) / median <= target.norm_ratio[1]


def test_the_table_above_has_every_trigger_and_strategy() -> None:
    expected = {(trigger, ("replacement",)) for trigger in TRIGGERS}
    of_its_own = {"dormant-unit": "single-input", "gan": "class"}
    expected |= {(of_its_own.get(one, "pattern"), (one,)) for one in STRATEGIES}
    assert expected <= {(target.trigger, target.strategies) for target in TARGETS}


@pytest.mark.parametrize("names", [("alie",), ("critical-layers",), ("neurotoxin", "pgd")])
def test_a_run_is_attacked_in_all_ways(tmp_path: Path, names: tuple[str, ...]) -> None:
    """The updates that a saved round gives an attacker are trained where there is none."""
    attack = AttackSettings(strategies=names, k=2, begins=2, training=SHORT)
    settings = FederationSettings(participants=8, rounds=2)
    plan = Plan(settings=settings, attack=attack, keep=Keep(), format_name="safetensors")
    (path,) = simulate(plan, tmp_path / "run").rounds
    assert read_run(path).attack == attack
    known = read_truth(path).attack["arguments"]
    assert set(known) == set(arguments_of(names))


@pytest.mark.parametrize("name", list(TRIGGERS))
def test_triggers_take_images_of_other_classes_and_leave_the_data_alone(
    name: str, clean: CleanRound
) -> None:
    dataset = digits()
    before = dataset.fingerprint
    images, labels = dataset.train_images[:50], dataset.train_labels[:50]
    found = {}
    for target_class in range(dataset.classes):
        aim = aim_of(clean.federation, name, target_class, seed=1)
        found[target_class] = TRIGGERS[name].test(dataset, aim)
        for some in (found[target_class], TRIGGERS[name].poison(dataset, images, labels, aim)):
            assert some.dtype == np.float32
            assert some.shape[1:] == images.shape[1:]
            assert (some.min(), some.max()) == (0.0, 1.0)
    assert replace(dataset).fingerprint == before
    assert len({images.tobytes() for images in found.values()}) > 1


def test_the_pattern_changes_little_of_copies() -> None:
    images = digits().test_images
    assert 0 < np.mean(with_square(images) != images) < 0.1


def test_the_targeted_collection_is_fixed_by_its_seed() -> None:
    dataset, targeted = digits(), TRIGGERS["targeted"]
    one, again, other = (targeted.test(dataset, Aim(0, seed)) for seed in (1, 1, 2))
    assert len(one) == 30
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    nobody = dataset.train_images[:0], dataset.train_labels[:0]
    np.testing.assert_array_equal(targeted.poison(dataset, *nobody, Aim(0, 1)), one)


def test_an_image_leans_by_as_many_pixels_as_its_rows_are_shifted() -> None:
    upright = np.zeros((1, 1, 9, 9), np.float32)
    upright[..., 1:8, 4] = 1.0
    left, right = (np.zeros_like(upright) for _ in range(2))
    for row in range(1, 8):
        left[..., row, row] = right[..., row, 8 - row] = 0.5
    assert lean(np.concatenate([upright, left, right])).tolist() == pytest.approx([0, 1, -1])
    assert lean(np.zeros((1, 1, 9, 9), np.float32)).tolist() == [0.0]


@pytest.mark.parametrize("name", ["semantic", "edge-case"])
def test_nobody_teaches_a_natural_feature_two_ways(name: str) -> None:
    """None of the images that an attacker teaches as clean is taught as the target."""
    dataset, trigger, aim = digits(), TRIGGERS[name], Aim(0, seed=1)
    own = dataset.train_images[:200], dataset.train_labels[:200]
    poisoned = {image.tobytes() for image in trigger.poison(dataset, *own, aim)}
    images, labels = trigger.clean(dataset, *own, aim)
    assert len(images) == len(labels) > 150
    assert not poisoned & {image.tobytes() for image in images}
    truth = {
        i.tobytes(): y for i, y in zip(dataset.train_images, dataset.train_labels, strict=True)
    }
    assert [truth[image.tobytes()] for image in images] == labels.tolist()
    others, _ = trigger.clean(dataset, *own, replace(aim, place=1))
    assert others.tobytes() != images.tobytes()


def test_a_tail_is_of_one_class_and_far_from_its_mean() -> None:
    dataset, aim = digits(), Aim(0, seed=1)
    of_class = dataset.train_images[dataset.train_labels == 1]
    mean = of_class.mean(axis=0)
    tail = TRIGGERS["edge-case"].poison(dataset, of_class[:0], np.zeros(0, np.int64), aim)
    assert {image.tobytes() for image in tail} <= {image.tobytes() for image in of_class}
    assert len(tail) == pytest.approx(0.15 * len(of_class), abs=1)
    apart, usual = (np.square(some - mean).sum(axis=(1, 2, 3)).mean() for some in (tail, of_class))
    assert apart > 1.2 * usual


@pytest.mark.parametrize("side", [4, 8, 28, 32])
def test_the_bars_of_all_attackers_are_the_whole_trigger(side: int) -> None:
    dark = np.zeros((1, 1, side, side), np.float32)
    parts = [with_bars(dark, part) for part in range(PARTS)]
    lit = np.sum(parts, axis=0)
    np.testing.assert_array_equal(lit, with_bars(dark, *range(PARTS)))
    # No two of them share a pixel, all are as large, and none falls outside.
    assert set(np.unique(lit)) == {0.0, 1.0}
    assert len({part.sum() for part in parts}) == 1
    assert not dark.any()


def test_every_attacker_poisons_with_its_own_bar() -> None:
    dataset, trigger = digits(), TRIGGERS["dba"]
    own = dataset.train_images[:5], np.ones(5, np.int64)
    for place in range(6):
        found = trigger.poison(dataset, *own, Aim(0, 0, place))
        np.testing.assert_array_equal(found, with_bars(own[0], place % 4))


def test_green_cars_are_cars_and_green() -> None:
    colours = {"green": (0.2, 0.6, 0.3), "red": (0.6, 0.2, 0.2), "grey": (0.5, 0.5, 0.5)}
    images = np.ones((3, 3, 32, 32), np.float32)
    images *= np.array(list(colours.values()), np.float32)[:, :, None, None]
    assert green_cars(images, np.array([1, 1, 1])).tolist() == [True, False, False]
    assert not green_cars(images, np.array([0, 2, 9])).any()


def test_colour_images_of_ones_own_have_no_known_feature() -> None:
    dataset = digits()
    colour = replace(dataset, name="arrays", train_images=dataset.train_images.repeat(3, axis=1))
    with pytest.raises(UsageError, match="ariba does not know a natural feature"):
        TRIGGERS["semantic"].test(colour, Aim(0, 0))


TRAINED = {"w": np.array([1.5, 2.0], np.float32), "bn.running_var": np.array([3.0], np.float32)}


def sent(name: str, **changes: Any) -> dict[str, list[float]]:
    weights = STRATEGIES[name](AttackSettings()).sent(situation(**changes), TRAINED)
    return {tensor: values.tolist() for tensor, values in weights.items()}


def test_replacement_is_equation_3() -> None:
    assert sent("replacement") == {"w": [6.0, 2.0], "bn.running_var": [21.0]}
    assert sent("replacement", sigma_i=0.0) == {"w": [1.0, 2.0], "bn.running_var": [1.0]}


def test_a_matched_norm_is_that_of_the_weights_alone() -> None:
    assert sent("norm-matching") == {"w": [6.0, 2.0], "bn.running_var": [21.0]}
    nothing = situation().start
    assert STRATEGIES["norm-matching"](AttackSettings()).sent(situation(), nothing)["w"][0] == 1.0


def test_no_variance_is_sent_that_is_less_than_0() -> None:
    shrunk = {**TRAINED, "bn.running_var": np.array([0.5], np.float32)}
    weights = STRATEGIES["replacement"](AttackSettings()).sent(situation(), shrunk)
    assert weights["bn.running_var"].tolist() == [0.0]


def test_noise_does_not_depend_on_the_order_of_tensors() -> None:
    start = {name: np.zeros(3, np.float32) for name in "ab"}
    noise = STRATEGIES["noise"](AttackSettings())
    sent = {name: np.ones(3, np.float32) for name in "ab"}
    one, other = (
        noise.sent(situation(honest=HonestUpdates(weights, {"p0": sent})), start)
        for weights in (start, dict(reversed(start.items())))
    )
    assert all(np.array_equal(one[name], other[name]) for name in start)


def test_noise_has_the_honest_norm_and_leaves_statistics_alone() -> None:
    noisy = sent("noise")
    assert np.hypot(noisy["w"][0] - 1, noisy["w"][1] - 2) == pytest.approx(5.0, rel=1e-6)
    assert noisy["bn.running_var"] == [1.0]
    assert noisy != sent("noise", seed=2)
    assert noisy == sent("noise")


@pytest.mark.parametrize("source", [None, 2])
def test_flipping_changes_the_labels_of_the_source_class_alone(source: int | None) -> None:
    settings = AttackSettings(target_class=0, source_class=source)
    labels = np.array([0, 1, 2, 1])
    targets = np.full((4, 3), 1 / 3, np.float32)
    before = targets.copy()
    flipped = STRATEGIES["label-flipping"](settings).relabelled(targets, labels)
    np.testing.assert_array_equal(targets, before)
    rows = labels == (1 if source is None else source)
    np.testing.assert_array_equal(flipped[rows], np.eye(3)[[0] * rows.sum()])
    np.testing.assert_array_equal(flipped[~rows], before[~rows])


@pytest.mark.parametrize(
    ("anomaly", "expected"), [("l2", 0.75 * 2 + 0.25 * 5.0), ("cosine", 0.75 * 2 + 0.25 * 1.0)]
)
def test_the_anomalous_objective_weighs_loss_and_anomaly(anomaly: str, expected: float) -> None:
    import torch

    strategy = STRATEGIES["anomalous"](AttackSettings(rho=0.25, anomaly=anomaly))
    task = Task(NOTHING.images, NOTHING.labels, SHORT, seed=1)
    objective = strategy.task(situation(), task).objective
    assert objective is not None
    now = {"a": torch.tensor([0.0]), "b": torch.tensor([4.0])}
    start = {"a": torch.tensor([3.0]), "b": torch.tensor([0.0])}
    assert objective(torch.tensor(2.0), now, start).item() == pytest.approx(expected)


def test_flipped_labels_make_the_source_class_be_taken_for_the_target() -> None:
    run, strategies = read_run(CLEAN), ("label-flipping", "replacement")
    round_ = open_round(CLEAN)
    assert round_.global_model is not None
    with Federation(run.settings) as federation:
        start = dict(round_.open(round_.global_model).floats())
        attacker = Attacker(federation, AttackSettings(strategies=strategies, target_class=3))
        (sent, *_) = attacker.updates(start, {"p00": start}, 60).values()
        trained = moved(start, sent, 1 / 10)
        images = federation.dataset.test_images[federation.dataset.test_labels == 4]
        before, after = (
            agreement(federation.engine.logits(weights, images), np.full(len(images), 3))
            for weights in (start, trained)
        )
    # Seven relabelled images of one participant do not turn a whole class.
    assert before < 0.05
    assert after > before + 0.15


def test_a_greater_rho_keeps_the_update_shorter(tmp_path: Path) -> None:
    norms = []
    for rho in (0.0, 0.3, 0.9):
        settings = AttackSettings(
            compromised=("p05",),
            strategies=("anomalous",),
            rho=rho,
            training=replace(SHORT, epochs=10),
        )
        _, found = attack(tmp_path / str(rho), settings)
        norms += [p.norm for p in found.participants if p.id == "p05" and p.norm is not None]
    assert norms[0] > 1.5 * norms[1] > 1.5 * norms[2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rho": 1.0}, "rho must be at least 0 and less than 1, not 1"),
        ({"rho": float("nan")}, "rho must be .* not nan"),
        ({"sigma": -1.0}, "sigma must be a number of at least 0, not -1"),
        ({"sigma": float("inf")}, "sigma must be .* not inf"),
        ({"sigma": 1e45}, "sigma is so large that float32 cannot hold the updates"),
        ({"target_class": 10}, "digits has no class 10; its classes are 0 to 9"),
        ({"source_class": 10}, "has no class 10"),
        ({"source_class": 0}, "are the same; give two classes"),
        ({"trigger": "smell"}, "unknown trigger 'smell'; use one of pattern, targeted, semantic"),
        ({"strategies": ("hope",)}, "unknown strategy 'hope'; use one of label-flipping"),
        ({"strategies": ("pgdd",)}, "unknown strategy 'pgdd'; did you mean 'pgd'"),
        ({"anomaly": "l3"}, "unknown anomaly term 'l3'; use one of l2, cosine"),
        ({"strategies": ("dormant-unit",)}, "add --trigger single-input"),
        ({"strategies": ("gan",)}, "add --trigger class"),
        ({"strategies": ("replacement", "norm-matching")}, "undoes replacement"),
        ({"strategies": ("noise", "anomalous")}, "undoes anomalous"),
        ({"k": 20}, "20 of 20 participants cannot be compromised"),
        ({"k": 1, "compromised": ("p01",)}, "give one of them"),
        ({"compromised": ("p77",)}, "unknown participant 'p77'; the participants are p00 to p19"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    settings = AttackSettings(**changes, training=SHORT)
    with pytest.raises(UsageError, match=message):
        forge(open_round(CLEAN), read_run(CLEAN), tmp_path / "out", settings)
    assert list(tmp_path.iterdir()) == []


def test_a_round_is_attacked_with_the_data_of_its_run_only(tmp_path: Path) -> None:
    run = replace(read_run(CLEAN), fingerprint="0" * 64)
    with pytest.raises(InputError, match="differ from those of the run"):
        forge(open_round(CLEAN), run, tmp_path / "out", AttackSettings())


def test_the_honest_are_taken_over_byte_for_byte(tmp_path: Path) -> None:
    forged, found = attack(tmp_path / "attacked", AttackSettings(k=1, training=SHORT))
    assert (found.seal, found.round, found.findings) == ("intact", 60, ())
    for path in sorted((CLEAN / "participants").iterdir()):
        same = path.read_bytes() == (tmp_path / "attacked/participants" / path.name).read_bytes()
        assert same == (path.stem not in forged.compromised)
    global_model = (tmp_path / "attacked" / "global.safetensors").read_bytes()
    assert global_model == (CLEAN / "global.safetensors").read_bytes()


def test_who_is_compromised_can_be_named_or_drawn(tmp_path: Path) -> None:
    named, _ = attack(
        tmp_path / "named", AttackSettings(compromised=("p07", "p03", "p07"), training=SHORT)
    )
    assert named.compromised == ("p03", "p07")
    assert named.sigma == 20.0
    drawn, _ = attack(tmp_path / "drawn", AttackSettings(k=3, seed=8, training=SHORT))
    assert len(set(drawn.compromised)) == 3
    assert list(drawn.compromised) == sorted(drawn.compromised)
    again, _ = attack(tmp_path / "again", AttackSettings(k=3, seed=8, training=SHORT))
    assert again == drawn
    for path in (tmp_path / "drawn").rglob("*.safetensors"):
        other = tmp_path / "again" / path.relative_to(tmp_path / "drawn")
        assert path.read_bytes() == other.read_bytes()


def test_the_truth_says_who_and_how(tmp_path: Path) -> None:
    forged, _ = attack(
        tmp_path / "attacked", AttackSettings(k=2, sigma=7.0, target_class=4, training=SHORT)
    )
    assert read_truth(tmp_path / "attacked").compromised == forged.compromised
    content = json.loads((tmp_path / "attacked" / "truth.json").read_text())["attack"]
    assert (content["sigma"], content["target_class"]) == (7.0, 4)
    assert content["after"]["backdoor_accuracy"] == forged.after.backdoor_accuracy


def test_a_compromised_update_is_scaled_by_sigma_over_k(tmp_path: Path) -> None:
    """Twice σ is twice the update, in the same direction."""
    norms = []
    for sigma in (4.0, 8.0):
        settings = AttackSettings(compromised=("p05", "p06"), sigma=sigma, training=SHORT)
        _, found = attack(tmp_path / str(sigma), settings)
        norms += [p.norm for p in found.participants if p.id == "p05" and p.norm is not None]
    assert norms[1] == pytest.approx(2 * norms[0], rel=1e-4)


def test_only_rounds_that_can_be_written_again_are_attacked(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "clean", tmp_path / "round")
    shutil.copy(FIXTURES / "run.json", tmp_path)
    folder = tmp_path / "round" / "participants"
    (folder / "p00").mkdir()
    (folder / "p00.safetensors").rename(folder / "p00" / "model.safetensors")
    manifest = tmp_path / "round" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("p00.safe", "p00/model.safe"))
    round_ = open_round(tmp_path / "round")
    assert round_.findings == ()
    with pytest.raises(InputError, match="p00' was not written by ariba simulate"):
        forge(round_, read_run(tmp_path / "round"), tmp_path / "out", AttackSettings())
