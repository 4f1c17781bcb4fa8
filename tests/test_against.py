"""An attacker who knows the auditor: what it searches for, and that it tells the truth of it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ariba_cli as ariba
from ariba_cli.attacks.against import Disguise, Judged, Search, judged_by_panel
from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.base.errors import UsageError
from ariba_cli.federated.models import Weights
from ariba_cli.federated.training import LocalTraining
from ariba_cli.rounds.directory import open_round
from ariba_cli.runs.forging import forge
from ariba_cli.runs.run_file import read_run
from tests.conftest import FIXTURES, Ariba

CLEAN = FIXTURES / "clean"
SHAPES = {"conv.weight": (2, 3), "conv.bias": (2,), "fc.weight": (4,)}


def model(**values: float) -> Weights:
    """Return weights that are one number in each layer."""
    return {
        name: np.full(shape, values[name.split(".")[0]], np.float32)
        for name, shape in SHAPES.items()
    }


def search(
    judge_layer: str = "conv", needs_layer: str = "fc", tries: int = 20, least: float = 0.5
) -> Search:
    """Return a search in which one layer carries the backdoor, and another is looked at."""

    def backdoor(updates: Mapping[str, Weights]) -> float:
        return float(np.mean([one[f"{needs_layer}.weight"].mean() for one in updates.values()]))

    def judge(updates: Mapping[str, Weights]) -> Judged:
        assert list(updates) == sorted(updates)
        moved = {name: float(one[f"{judge_layer}.weight"].max()) for name, one in updates.items()}
        return Judged(
            {name: float(np.exp(-value)) for name, value in moved.items()},
            tuple(name for name, value in moved.items() if value > 2),
        )

    return Search(
        start=model(conv=0, fc=0),
        honest={f"p{number}": model(conv=0.1, fc=0.1) for number in (0, 2, 4)},
        forged={f"p{number}": model(conv=4, fc=4) for number in (1, 3)},
        twins={f"p{number}": model(conv=0.1, fc=0.1) for number in (1, 3)},
        judge=judge,
        backdoor=backdoor,
        least=least,
        tries=tries,
        seed=1,
    )


def test_the_layer_that_is_looked_at_is_left_honest() -> None:
    sent, plain, reached = search().run()
    assert plain.flagged == ("p1", "p3")
    assert (reached.flagged, reached.honest_flagged) == ((), ())
    assert reached.disguise is not None
    assert reached.disguise.layers == ("fc",)
    for weights in sent.values():
        np.testing.assert_array_equal(weights["conv.weight"], model(conv=0.1, fc=0)["conv.weight"])


def test_the_scale_is_the_least_that_leaves_the_backdoor() -> None:
    one = search("fc", "fc")
    _, plain, reached = one.run()
    assert plain.backdoor_accuracy > reached.backdoor_accuracy >= 0.5
    assert reached.disguise is not None
    less = replace(reached.disguise, scale=reached.disguise.scale - 1 / 32)
    assert one.backdoor({**one.honest, **one.disguised(less)}) < 0.5
    assert min(reached.p_values.values()) > min(plain.p_values.values())


def test_the_auditor_is_asked_no_more_often_than_was_allowed() -> None:
    asked = []

    def counted(updates: Mapping[str, Weights]) -> Judged:
        asked.append(updates)
        return search().judge(updates)

    for tries in (1, 2, 5):
        asked.clear()
        _, _, reached = replace(search(tries=tries), judge=counted).run()
        assert len(asked) == reached.tries == tries


def test_without_a_disguise_that_leaves_the_backdoor_nothing_is_changed() -> None:
    one = search(least=1.0, needs_layer="fc")
    dear = replace(one, least=50.0)
    sent, plain, reached = dear.run()
    assert reached.disguise is None
    assert reached == plain
    for name, weights in sent.items():
        np.testing.assert_array_equal(weights["fc.weight"], dear.forged[name]["fc.weight"])


def test_noise_is_as_long_as_was_said_and_different_for_everybody() -> None:
    one = search()
    disguise = Disguise(scale=0.5, honest=1.0, noise=2.0, layers=("fc",))
    sent = one.disguised(disguise)
    quiet = one.disguised(replace(disguise, noise=0.0))
    np.testing.assert_allclose(quiet["p1"]["fc.weight"], 0.5 * 4 + 0.1, rtol=1e-6)
    apart = {name: sent[name]["fc.weight"] - quiet[name]["fc.weight"] for name in sent}
    for noise in apart.values():
        assert np.linalg.norm(noise) == pytest.approx(2 * 0.1 * np.sqrt(4), rel=1e-4)
    assert not np.allclose(apart["p1"], apart["p3"])
    again = one.disguised(disguise)
    assert all(np.array_equal(again[name]["fc.weight"], sent[name]["fc.weight"]) for name in sent)


def test_what_the_attacker_is_told_is_what_an_audit_says(tmp_path: Path) -> None:
    settings = AttackSettings(
        k=2,
        against="panel",
        tries=3,
        least_backdoor=0.0,
        seed=3,
        training=LocalTraining(optimizer="sgd", epochs=2, batch_size=10, learning_rate=0.05),
    )
    forged = forge(open_round(CLEAN), read_run(CLEAN), tmp_path / "attacked", settings)
    verdict = ariba.audit(tmp_path / "attacked")
    assert forged.reached is not None
    plain, disguised = forged.reached
    found = {one.id: one.p_value for one in verdict.deciding.scores}
    assert disguised.p_values == {name: found[name] for name in forged.compromised}
    flagged = {one.id for one in verdict.suspects}
    assert set(disguised.flagged) == flagged & set(forged.compromised)
    assert set(disguised.honest_flagged) == flagged - set(forged.compromised)
    assert min(disguised.p_values.values()) >= min(plain.p_values.values())
    assert disguised.backdoor_accuracy == forged.after.backdoor_accuracy
    truth = json.loads((tmp_path / "attacked" / "truth.json").read_text())["attack"]
    assert truth["audited"]["disguised"]["p_values"] == disguised.p_values


def test_a_clean_round_is_judged_as_an_audit_judges_it() -> None:
    round_ = open_round(CLEAN)
    assert round_.global_model is not None
    start = dict(round_.open(round_.global_model).floats())
    said = judged_by_panel(
        start, {m.id: dict(round_.open(m).floats()) for m in round_.participants}
    )
    verdict = ariba.audit(CLEAN)
    assert said.p_values == {one.id: one.p_value for one in verdict.deciding.scores}
    assert said.flagged == tuple(one.id for one in verdict.suspects)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"against": "krum"}, "--against does not know 'krum'; use panel"),
        ({"against": "panel", "tries": 0}, "--tries must be at least 1"),
        ({"against": "panel", "least_backdoor": 1.5}, "--least-backdoor from 0 to 1"),
    ],
)
def test_searches_that_cannot_be_are_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    settings = replace(AttackSettings(), **changes)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=message):
        forge(open_round(CLEAN), read_run(CLEAN), tmp_path / "out", settings)


def test_its_options_are_of_no_use_without_it(ariba: Ariba) -> None:
    done = ariba("attack", CLEAN, "--out", "attacked", "--tries", "5")
    assert done.returncode == 2
    assert done.stderr == b"error: --tries needs --against; add --against panel, or leave it out\n"
