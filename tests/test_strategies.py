"""The promises of each strategy about the updates that it makes, on small arrays."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.attacks.strategies import (
    STRATEGIES,
    Held,
    HonestUpdates,
    Situation,
    arguments_of,
    combined,
    settled,
    update_norm,
)
from ariba_cli.attacks.strategies.alie import default_z
from ariba_cli.attacks.strategies.alternating import TakingTurns
from ariba_cli.attacks.strategies.layers import layers_of
from ariba_cli.attacks.strategies.masked import smallest
from ariba_cli.base.errors import UsageError
from ariba_cli.federated.models import Weights, architecture_for
from ariba_cli.federated.quality import agreement
from ariba_cli.federated.training import Engine, LocalTraining, Task
from docs.make import ATTACKS, attacks_page
from tests.conftest import Ariba, digits
from tests.situations import NOTHING, situation

Train = Callable[..., tuple[Weights, Weights, Situation]]


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_a_strategy_declares_what_there_is_to_know(name: str) -> None:
    declared = STRATEGIES[name].declaration
    assert declared.name == name
    for text in (declared.summary, declared.equation, declared.source, declared.purpose):
        assert text.strip()
        assert not text.endswith(".")
    assert set(declared.undoes) <= set(STRATEGIES)
    for key, argument in declared.arguments.items():
        assert key.isidentifier()
        assert argument.meaning
        # What is found from the round is said in words, and what is not fits its own bounds.
        if argument.default is None:
            assert argument.otherwise
        else:
            argument.check(key, name, argument.default)


@pytest.mark.parametrize(
    ("strategies", "arguments", "message"),
    [
        (("noise",), {"deviations": 1}, "noise takes no argument 'deviations'; did you mean dev"),
        (("replacement",), {"zeal": 1}, "replacement takes no argument 'zeal'; it takes none"),
        ((), {"zeal": 1}, "an attack without a strategy takes no argument 'zeal'"),
        (("replacement",), {"deviation": 1}, "deviation needs --strategy noise; add that"),
        (
            ("noise",),
            {"deviation": -1},
            "deviation of noise must be a number of at least 0, not '-1'",
        ),
        (("noise",), {"deviation": "much"}, "deviation of noise must be a number of at least 0"),
        (("noise",), {"deviation": True}, "deviation of noise must be .* not 'True'"),
    ],
)
def test_arguments_that_fit_no_strategy_are_refused(
    strategies: tuple[str, ...], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        combined(AttackSettings(strategies=strategies, arguments=arguments))


def test_records_have_the_defaults_too() -> None:
    assert settled(AttackSettings(strategies=("noise",))) == {"deviation": None}
    given = AttackSettings(strategies=("noise",), arguments={"deviation": 2.0})
    assert settled(given) == {"deviation": 2.0}


def test_the_list_has_every_strategy_and_argument(ariba: Ariba) -> None:
    shown = ariba("attack", "--list-strategies", COLUMNS="200").stdout.decode()
    lines = [line.split()[:2] for line in shown.splitlines() if line.split()]
    for name, strategy in STRATEGIES.items():
        assert [name, strategy.declaration.stage] in lines
    for key, (name, _) in arguments_of(tuple(STRATEGIES)).items():
        assert [key, name] in lines


def test_the_page_of_attacks_is_up_to_date() -> None:
    assert ATTACKS.read_text("utf-8") == attacks_page(), "run make docs"


def test_random_numbers_have_the_deviation_that_is_asked_for() -> None:
    """The Gaussian attack: N(0, s²) in each coordinate."""
    start = {"w": np.zeros(40_000, np.float32)}
    honest = HonestUpdates(start, {"p0": {"w": np.ones(40_000, np.float32)}})
    noise = STRATEGIES["noise"](AttackSettings(arguments={"deviation": 3}))
    drawn = noise.sent(situation(honest=honest), start)["w"]
    assert abs(drawn.mean()) < 0.06
    assert drawn.std() == pytest.approx(3, rel=0.02)
    assert np.mean(np.abs(drawn) < 3) == pytest.approx(0.6827, abs=0.01)


HONEST_COUNT = 9


def honest_updates(seed: int, spread: float = 1.0) -> HonestUpdates:
    """Nine honest updates of two tensors and a measured variance, about a step of their own."""
    draw = np.random.default_rng(seed)
    shapes = {"a.weight": (4, 3), "b.bias": (5,), "bn.running_var": (2,)}
    start = {name: draw.random(shape, np.float32) for name, shape in shapes.items()}
    step = {name: draw.normal(size=shape) for name, shape in shapes.items()}
    sent = {
        f"p{index}": {
            name: np.abs(start[name] + step[name] + spread * draw.normal(size=shape)).astype(
                np.float32
            )
            for name, shape in shapes.items()
        }
        for index in range(HONEST_COUNT)
    }
    return HonestUpdates(start, sent)


def rows_of(honest: HonestUpdates) -> npt.NDArray[np.float64]:
    """The honest updates as rows; what batch normalisation measured is in none."""
    deltas = [honest.delta(index) for index in range(len(honest))]
    return np.stack([np.concatenate([one[name].ravel() for name in sorted(one)]) for one in deltas])


def forged(
    name: str, honest: HonestUpdates, arguments: dict[str, Any] | None = None, m: int = 2
) -> npt.NDArray[np.float64]:
    """Return the weights that a strategy sends less θ^t, as a row."""
    strategy = STRATEGIES[name](AttackSettings(arguments=arguments or {}))
    sent = strategy.sent(situation(honest=honest, compromised=m), honest.start)
    assert all(values.dtype == np.float32 for values in sent.values())
    means = np.mean([one["bn.running_var"] for one in honest._sent], axis=0)
    np.testing.assert_allclose(sent["bn.running_var"], means, rtol=1e-6)
    parts = [
        (sent[tensor].astype(np.float64) - honest.start[tensor]).ravel()
        for tensor in ("a.weight", "b.bias")
    ]
    return np.concatenate(parts)


@dataclass(frozen=True)
class Formula:
    """A strategy with arguments, and what it sends in plain NumPy, of the honest as rows."""

    strategy: str
    arguments: dict[str, Any]
    expected: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


FORMULAS = [
    Formula("sign-flip", {}, lambda rows: -rows.mean(axis=0)),
    Formula("ipm", {}, lambda rows: -2 * rows.mean(axis=0)),
    Formula("ipm", {"tau": 0.1}, lambda rows: -0.1 * rows.mean(axis=0)),
    Formula("alie", {"z": 1.5}, lambda rows: rows.mean(axis=0) + 1.5 * rows.std(axis=0, ddof=1)),
    Formula("mimic", {"copied": 3}, lambda rows: rows[3]),
]


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda one: f"{one.strategy}{one.arguments}")
def test_an_update_of_honest_ones_is_its_formula(formula: Formula) -> None:
    honest = honest_updates(1)
    expected = formula.expected(rows_of(honest))
    found = forged(formula.strategy, honest, formula.arguments)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda one: f"{one.strategy}{one.arguments}")
def test_an_update_of_honest_ones_is_that_of_byzfl(formula: Formula) -> None:
    byzfl = pytest.importorskip("byzfl")
    oracle = {
        "sign-flip": byzfl.SignFlipping,
        "ipm": lambda tau=2.0: byzfl.InnerProductManipulation(tau=tau),
        "alie": lambda z: byzfl.ALittleIsEnough(tau=z),
        "mimic": lambda copied: byzfl.Mimic(epsilon=copied),
    }[formula.strategy](**formula.arguments)
    honest = honest_updates(2)
    found = forged(formula.strategy, honest, formula.arguments)
    np.testing.assert_allclose(found, oracle(rows_of(honest)), atol=1e-6)


def test_the_z_of_alie_leaves_those_farther_out_who_make_a_majority() -> None:
    # Of 50 with 24 compromised, two honest must be won: z leaves 2 of 26 beyond it.
    assert default_z(50, 24) == pytest.approx(norm.ppf(24 / 26))
    # Of 50 with 5, it is 21 of 45.
    assert default_z(50, 5) == pytest.approx(norm.ppf(24 / 45))
    honest, rows = honest_updates(3), rows_of(honest_updates(3))
    expected = rows.mean(axis=0) + default_z(HONEST_COUNT + 2, 2) * rows.std(axis=0, ddof=1)
    np.testing.assert_allclose(forged("alie", honest), expected, atol=1e-6)


def excess(name: str, delta: npt.NDArray[np.float64], rows: npt.NDArray[np.float64]) -> float:
    """Return by how much an update breaks the constraint of Min-Max or Min-Sum."""
    own = ((delta - rows) ** 2).sum(axis=1)
    between = ((rows[:, None] - rows) ** 2).sum(axis=2)
    if name == "min-max":
        return float(own.max() - between.max())
    return float(own.sum() - between.sum(axis=1).max())


@pytest.mark.parametrize("along", ["unit", "std", "sign"])
@pytest.mark.parametrize("name", ["min-max", "min-sum"])
@given(seed=st.integers(0, 10**6), spread=st.floats(0.05, 5))
@settings(max_examples=15, deadline=None)
def test_the_bound_holds_at_gamma_and_not_beyond(
    name: str, along: str, seed: int, spread: float
) -> None:
    honest = honest_updates(seed, spread)
    rows = rows_of(honest)
    mean = rows.mean(axis=0)
    delta = forged(name, honest, {"along": along})
    p = {
        "unit": mean / np.linalg.norm(mean),
        "std": rows.std(axis=0, ddof=1),
        "sign": np.sign(mean),
    }[along]
    gamma = float((mean - delta) @ p / (p @ p))
    assert gamma > 0
    np.testing.assert_allclose(delta, mean - gamma * p, atol=1e-5)
    scale = float((rows**2).sum())
    assert excess(name, mean - (gamma - 1e-4) * p, rows) < 0
    assert excess(name, delta, rows) < 1e-5 * scale
    assert excess(name, mean - (gamma + 1e-4) * p, rows) > 0


def test_honest_updates_that_are_all_one_leave_no_room() -> None:
    honest = honest_updates(4, spread=0.0)
    for name in ("min-max", "min-sum"):
        np.testing.assert_allclose(forged(name, honest), rows_of(honest)[0], atol=1e-5)


def test_mimic_copies_whoever_is_farthest_out() -> None:
    honest = honest_updates(5)
    rows = rows_of(honest)
    centred = rows - rows.mean(axis=0)
    direction = np.linalg.svd(centred)[2][0]
    expected = rows[np.abs(centred @ direction).argmax()]
    np.testing.assert_allclose(forged("mimic", honest), expected, atol=1e-6)


def test_no_order_of_the_honest_changes_what_is_sent() -> None:
    honest = honest_updates(6)
    sent = {f"p{index}": weights for index, weights in enumerate(honest._sent)}
    again = HonestUpdates(honest.start, dict(reversed(sent.items())))
    for name in ("sign-flip", "ipm", "alie", "min-max", "min-sum", "mimic"):
        assert forged(name, honest).tobytes() == forged(name, again).tobytes()


@pytest.mark.parametrize(
    ("name", "arguments", "n", "m", "message"),
    [
        ("alie", {}, 10, 6, "alie has no default z for 6 attackers among 10"),
        ("alie", {"z": 1.5}, 3, 2, "alie needs the spread of at least two honest"),
        ("min-max", {}, 3, 2, "min-max needs the spread of at least two honest"),
        ("mimic", {"copied": 8}, 10, 2, "with 8 honest participants it can be at most 7"),
    ],
)
def test_numbers_of_participants_that_do_not_fit_are_refused(
    name: str, arguments: dict[str, Any], n: int, m: int, message: str
) -> None:
    strategy = STRATEGIES[name](AttackSettings(arguments=arguments))
    shape = architecture_for("cnn", digits())
    with pytest.raises(UsageError, match=message):
        strategy.check_fits(shape, n, m)


@pytest.fixture(scope="module")
def trained() -> Iterator[Train]:
    """Trains one participant on 40 digits, ten of them poisoned, as a strategy has it."""
    dataset = digits()
    architecture = architecture_for("cnn", dataset)
    engine = Engine(architecture, None, "cpu")
    start = architecture.initial_weights(1)
    how = LocalTraining(optimizer="sgd", epochs=6, batch_size=5, learning_rate=0.1)
    images, labels = dataset.train_images[:40], dataset.train_labels[:40]
    clean = Task(images[:30], labels[:30], how, 1)
    honest = engine.train(start, [clean, replace(clean, seed=2), replace(clean, seed=3)])
    targets = np.eye(10, dtype=np.float32)[np.where(np.arange(40) < 30, labels, 0)]
    now = situation(
        honest=HonestUpdates(start, {f"p{index}": one for index, one in enumerate(honest)}),
        held=Held(images[:30], labels[:30], images[30:]),
        logits=engine.logits,
        gradient=partial(engine.gradient, start),
        twin=honest[0],
    )

    def train(
        names: tuple[str, ...], arguments: dict[str, Any], optimizer: str = "sgd"
    ) -> tuple[Weights, Weights, Situation]:
        used = replace(how, optimizer=optimizer, weight_decay=0.01)
        task = Task(images, targets, used, 4, poisoned=10)
        asked = AttackSettings(strategies=names, arguments=arguments)
        for strategy in combined(asked):
            task = strategy.task(now, task)
        (weights,) = engine.train(start, [task])
        for strategy in combined(asked):
            weights = strategy.sent(now, weights)
        return start, weights, now

    yield train
    engine.close()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_pgd_stays_in_its_ball(trained: Train, optimizer: str) -> None:
    for epsilon in (0.05, 0.5):
        start, weights, _ = trained(("pgd",), {"epsilon": epsilon, "every": 7}, optimizer)
        assert update_norm(start, weights) == pytest.approx(epsilon, rel=1e-5)
    start, weights, now = trained(("pgd",), {}, optimizer)
    assert update_norm(start, weights) <= now.honest.median_norm * (1 + 1e-6)
    # A ball that is never left changes nothing.
    one, other = (trained(names, {}, optimizer)[1] for names in ((), ("pgd",)))
    wide = trained(("pgd",), {"epsilon": 1e6}, optimizer)[1]
    assert all(np.array_equal(one[name], wide[name]) for name in one)
    assert any(not np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("names", [("neurotoxin",), ("neurotoxin", "pgd", "replacement")])
def test_neurotoxin_moves_nothing_off_its_mask(
    trained: Train, optimizer: str, names: tuple[str, ...]
) -> None:
    start, weights, now = trained(names, {"share": 0.6}, optimizer)
    step = np.concatenate([np.abs(now.honest.mean[name]).ravel() for name in sorted(start)])
    moved = np.concatenate([(weights[name] != start[name]).ravel() for name in sorted(start)])
    limit = np.quantile(step, 0.6)
    assert not moved[step > limit].any()
    assert moved[step < limit].mean() > 0.5


def test_the_share_of_neurotoxin_is_of_all_coordinates() -> None:
    step = {"b": np.array([[3.0, -1.0]]), "a": np.array([0.0, -2.0, 2.0])}
    masks = smallest({name: np.abs(one) for name, one in step.items()}, 0.6)
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        "a": [True, True, False],
        "b": [[False, True]],
    }


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_model_reuse_moves_what_matters_to_the_trigger_alone(
    trained: Train, optimizer: str
) -> None:
    start, weights, now = trained(("model-reuse",), {"above": 0.8, "below": 0.9}, optimizer)
    mine, others = (
        np.concatenate([np.abs(gradient[name]).ravel() for name in sorted(start)])
        for gradient in (
            now.gradient(now.held.triggered, np.zeros(10, np.int64)),
            now.gradient(now.held.images, now.held.labels),
        )
    )
    moved = np.concatenate([(weights[name] != start[name]).ravel() for name in sorted(start)])
    assert moved.any()
    assert (mine[moved] >= np.quantile(mine, 0.8) * (1 - 1e-5)).all()
    assert (others[moved] <= np.quantile(others, 0.9) * (1 + 1e-5)).all()


def test_model_reuse_that_leaves_nothing_says_which_argument_to_change(trained: Train) -> None:
    with pytest.raises(UsageError, match="use a smaller above, or a larger below"):
        trained(("model-reuse",), {"above": 1.0})


def test_turns_are_a_poisoned_step_and_ten_clean_ones() -> None:
    how = LocalTraining(optimizer="sgd", epochs=2, batch_size=3, learning_rate=0.1)
    task = TakingTurns(
        np.zeros((15, 1, 8, 8), np.float32), np.zeros(15, np.int64), how, 1, poisoned=5, benign=3
    )
    steps = [batch.tolist() for batch in task.batches(1)]
    # Ten clean samples are eight batches in two epochs: two whole turns of three.
    assert len(steps) == 8
    for index, batch in enumerate(steps):
        assert all(sample >= 10 for sample in batch) == (index % 4 == 0)
    assert steps[4] == [10, 11, 12, 13, 14]
    # Too few for one turn: they come again.
    assert len(list(replace(task, benign=20).batches(1))) == 21


@pytest.mark.parametrize(("boost", "rate"), [(4.0, 0.025), (1.0, 0.1), (0.0, 0.1)])
def test_a_poisoned_step_is_as_long_as_the_learning_rate_has_it(boost: float, rate: float) -> None:
    """A clean step is a K-th of that; with K of 1 or less there is nothing to boost."""
    import torch

    how = LocalTraining(optimizer="sgd", epochs=1, batch_size=1, learning_rate=0.1)
    task = Task(np.zeros((2, 1, 8, 8), np.float32), np.zeros(2, np.int64), how, 1, poisoned=1)
    asked = AttackSettings(
        strategies=("alternating",), arguments={"boost": boost, "benign_steps": 2}
    )
    (strategy,) = combined(asked)
    made = strategy.task(situation(), task)
    assert made.how.learning_rate == pytest.approx(rate)
    # One poisoned step and two clean ones are a turn, and each step here is one of 0.25.
    start, now = {"w": torch.zeros(1)}, {"w": torch.zeros(1)}
    moved = []
    for step in range(1, 7):
        before = now["w"].clone()
        now["w"] += 0.25
        for hook in made.hooks:
            hook(now, start, step, 6)
        moved.append(float(now["w"] - before))
    assert moved == [0.25 * boost, 0.25, 0.25] * 2
    assert strategy.task(situation(), replace(task, poisoned=0)).how == how


def test_boosted_steps_stay_in_a_ball_and_on_a_mask(trained: Train) -> None:
    names, arguments = ("alternating", "pgd", "neurotoxin"), {"epsilon": 0.3, "every": 1}
    start, weights, now = trained(names, arguments)
    assert update_norm(start, weights) <= 0.3 * (1 + 1e-6)
    moved = {name: np.abs(step) for name, step in now.honest.mean.items()}
    masks = smallest(moved, 0.95)
    assert all(np.array_equal(weights[n][~mask], start[n][~mask]) for n, mask in masks.items())


def test_a_distance_holds_the_update_near_those_of_the_others(trained: Train) -> None:
    far, near = (
        trained(("alternating",), {"distance": rho, "boost": 1.0})[1:] for rho in (0.0, 3.0)
    )
    others = {
        name: (far[1].start[name] + step).astype(np.float32)
        for name, step in far[1].honest.mean.items()
    }
    assert update_norm(others, near[0]) < 0.5 * update_norm(others, far[0])


def test_critical_layers_leaves_the_others_as_the_honest_have_them(trained: Train) -> None:
    start, weights, now = trained(("critical-layers",), {})
    assert now.twin is not None
    poisoned = trained((), {})[1]
    layers = layers_of({name: values.shape for name, values in start.items()})
    kinds = []
    for names in layers.values():
        honest = all(np.array_equal(weights[name], now.twin[name]) for name in names)
        assert honest or all(np.array_equal(weights[name], poisoned[name]) for name in names)
        kinds.append(honest)
    assert {True, False} == set(kinds)
    held = now.held.triggered
    success = {
        when: agreement(now.logits(model, held), np.zeros(len(held), np.int64))
        for when, model in (("made", weights), ("all", poisoned))
    }
    assert success["made"] >= 0.95 * success["all"] > 0


def test_critical_layers_of_nothing_triggered_is_honest(trained: Train) -> None:
    now = trained((), {})[2]
    strategy = STRATEGIES["critical-layers"](AttackSettings())
    assert strategy.sent(replace(now, held=NOTHING), now.start) is now.twin


def test_what_undoes_another_is_refused() -> None:
    refused = [
        ("neurotoxin", "alie"),
        ("critical-layers", "mimic"),
        ("ipm", "sign-flip"),
        ("alternating", "anomalous"),
        ("replacement", "norm-matching"),
    ]
    for names in refused:
        with pytest.raises(UsageError, match="undoes"):
            combined(AttackSettings(strategies=names))
    combined(AttackSettings(strategies=("pgd", "neurotoxin", "anomalous", "replacement")))
    combined(AttackSettings(strategies=("min-max", "norm-matching")))
