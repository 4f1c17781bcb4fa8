"""Servers that ask some participants, lose the updates of others, and aggregate by a rule."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ariba_cli.aggregation.aggregate import aggregate_round
from ariba_cli.aggregation.rules import make_rule
from ariba_cli.attacks.attacker import Attacker
from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.base.errors import AribaError, InputError, UsageError
from ariba_cli.federated.defaults import DEFAULTS
from ariba_cli.federated.federation import Federation, FederationSettings
from ariba_cli.federated.server import answering, noise_seed, who_answers
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.truth import truth_of
from ariba_cli.runs.evaluating import evaluate_model
from ariba_cli.runs.forging import forge
from ariba_cli.runs.plan import Keep, Plan
from ariba_cli.runs.run_file import read_run, read_run_file
from ariba_cli.runs.simulation import simulate
from tests.conftest import Ariba
from tests.test_aggregate import assert_same, read
from tests.test_federated import contents
from tests.test_resume import Killed

TRAINING = replace(DEFAULTS["digits"].training, epochs=1)
# Of nine, six are asked, and two of these fail.
SOME = FederationSettings(
    participants=9,
    rounds=3,
    sampled=6,
    failing=0.34,
    rule="norm-clip",
    rule_arguments={"noise": 0.001},
    partition="lognormal:1",
    training=TRAINING,
)
ATTACK = AttackSettings(
    compromised=("p1", "p4"), begins=2, training=replace(DEFAULTS["digits"].attack, epochs=1)
)
PLAN = Plan(settings=SOME, keep=Keep(every=1), format_name="safetensors")
IDS = [f"p{index}" for index in range(9)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("server") / "run"
    simulate(PLAN, root)
    return root


def ids_in(round_path: Path) -> list[str]:
    return [one.id for one in open_round(round_path).participants]


@given(
    st.integers(3, 40), st.integers(3, 40), st.floats(0, 1), st.integers(0, 2**40), st.integers(1)
)
def test_who_answers_is_drawn_from_all(
    n: int, sampled: int, failing: float, seed: int, number: int
) -> None:
    ids = [f"p{index:02}" for index in range(n)]
    try:
        count = answering(n, sampled, failing)
    except UsageError:
        assert sampled > n or sampled - round(failing * sampled) < 3
        return
    found = who_answers(ids, sampled, failing, seed, number)
    assert found == sorted(set(found))
    assert set(found) <= set(ids)
    assert len(found) == count == sampled - round(failing * sampled)
    assert found == who_answers(ids, sampled, failing, seed, number)


def test_everybody_is_asked_about_as_often() -> None:
    rounds = [who_answers(IDS, 3, 0.0, 5, number) for number in range(1, 601)]
    counts = np.bincount([int(name[1:]) for one in rounds for name in one])
    assert counts.sum() == 1800
    assert np.all(abs(counts - 200) < 50)
    assert who_answers(IDS, None, 0.0, 5, 1) == IDS


def test_a_round_holds_what_those_who_answered_have_sent(run: Path) -> None:
    with Federation(SOME) as federation:
        expected = [federation.answering_in(number) for number in (1, 2, 3)]
    found = [ids_in(run / f"round_000{number}") for number in (1, 2, 3)]
    assert found == expected
    assert {len(one) for one in found} == {4}
    assert len({tuple(one) for one in found}) > 1


def test_the_next_global_model_is_what_the_command_makes_of_the_round(
    run: Path, tmp_path: Path, ariba: Ariba
) -> None:
    """By the same rule, with the η, the seed and the round that lie beside it."""
    done = ariba(
        *("aggregate", run / "round_0001", "--out", "out"),
        *("--rule", "norm-clip", "--rule-arg", "noise=0.001"),
    )
    assert done.returncode == 0, done.stderr
    model = read(run / "round_0002" / "global.safetensors")
    assert_same(read(tmp_path / "out"), model)
    plain = tmp_path / "plain"
    seed = noise_seed(SOME.seed, 2)
    rule = make_rule("norm-clip", SOME.rule_arguments)
    aggregate_round(open_round(run / "round_0001"), plain, rule=rule, noise_seed=seed)
    assert any((read(plain)[name] != values).any() for name, values in model.items())


def test_the_run_says_how_it_was_made_and_is_read_as_it_was_written(run: Path) -> None:
    settings = json.loads((run / "run.json").read_text())["settings"]
    assert settings["rule"] == "norm-clip"
    assert settings["rule_arguments"] == {"noise": 0.001}
    assert (settings["sampled"], settings["failing"]) == (6, 0.34)
    assert read_run_file(run / "run.json").settings == SOME


@pytest.mark.parametrize(
    "change",
    [
        {"rule": "nothing"},
        {"rule_arguments": {"f": 1}},
        {"rule_arguments": ["noise"]},
        {"sampled": 0},
        {"failing": -0.1},
    ],
)
def test_a_run_that_no_server_could_have_made_is_refused(
    run: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    content = json.loads((run / "run.json").read_text())
    content["settings"] |= change
    (tmp_path / "run.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="was not written by ariba simulate"):
        read_run_file(tmp_path / "run.json")


def test_a_run_of_the_layout_before_was_under_fedavg(run: Path, tmp_path: Path) -> None:
    content = json.loads((run / "run.json").read_text())
    for name in ("rule", "rule_arguments", "sampled", "failing"):
        del content["settings"][name]
    (tmp_path / "run.json").write_text(json.dumps(content | {"layout": 4}))
    settings = read_run_file(tmp_path / "run.json").settings
    assert (settings.rule, settings.sampled, settings.failing) == ("fedavg", None, 0.0)


def test_a_killed_run_is_finished_to_the_same_bytes(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = Federation.aggregated

    def killed(self: Federation, weights: Any, updates: Any, number: int) -> Any:
        if number == 2:
            raise Killed
        return train(self, weights, updates, number)

    with monkeypatch.context() as patch:
        patch.setattr(Federation, "aggregated", killed)
        with pytest.raises(Killed):
            simulate(PLAN, tmp_path / "run")
    with pytest.raises(UsageError, match="begun with --sampled 6, not 7"):
        simulate(replace(PLAN, settings=replace(SOME, sampled=7)), tmp_path / "run", resume=True)
    simulate(PLAN, tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == contents(run)


def test_only_those_who_answered_are_compromised(tmp_path: Path) -> None:
    settings = replace(SOME, rounds=5)
    done = simulate(replace(PLAN, settings=settings, attack=ATTACK), tmp_path / "run")
    told = set()
    for number, path in enumerate(done.rounds, 1):
        expected = {"p1", "p4"} & set(ids_in(path)) if number >= 2 else set()
        truth = truth_of(open_round(path)) if (path / "truth.json").exists() else None
        assert (set() if truth is None else set(truth.compromised)) == expected
        told.add(len(expected))
        if truth is not None:
            # Four answer, and are averaged.
            assert truth.attack["sigma"] == 4.0
    assert {0, 1} <= told


def test_an_attack_on_a_round_compromises_those_in_it(run: Path, tmp_path: Path) -> None:
    path = run / "round_0003"
    answered = ids_in(path)
    absent = next(name for name in IDS if name not in answered)
    settings = replace(ATTACK, compromised=(), k=1, begins=1)
    forged = forge(open_round(path), read_run(path), tmp_path / "drawn", settings)
    assert set(forged.compromised) <= set(answered)
    assert ids_in(tmp_path / "drawn") == answered
    named = replace(settings, k=None, compromised=(absent,))
    with pytest.raises(UsageError, match=f"'{absent}' sent no update in round 3: it was not asked"):
        forge(open_round(path), read_run(path), tmp_path / "named", named)
    stranger = replace(named, compromised=("p99",))
    with pytest.raises(UsageError, match="unknown participant 'p99'"):
        forge(open_round(path), read_run(path), tmp_path / "stranger", stranger)


def test_a_model_of_such_a_run_is_evaluated(run: Path) -> None:
    model = run / "round_0003" / "global.safetensors"
    assert 0 <= evaluate_model(model, read_run(run / "round_0003")).quality.accuracy <= 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sampled": 10}, "--sampled is 10, but there are 9 participants"),
        ({"failing": 0.8}, "1 of 6 would answer in a round, and at least 3 must"),
        ({"rule": "krumm"}, "did you mean 'krum'"),
        (
            {"rule": "krum", "rule_arguments": {"f": 1}},
            "with 4 updates krum takes an f from 0 to 0",
        ),
        ({"rule": "median"}, "median takes no argument 'noise'"),
    ],
)
def test_what_a_server_cannot_do_is_said_before_training(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    with pytest.raises(AribaError, match=why):
        simulate(replace(PLAN, settings=replace(SOME, **change)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_round_of_nobody_but_the_compromised_is_refused(tmp_path: Path) -> None:
    with Federation(SOME) as federation:
        third = tuple(federation.answering_in(3))
        second = federation.answering_in(2)
    attack = replace(ATTACK, compromised=third)
    with pytest.raises(UsageError, match="in round 3 only the 4 compromised"):
        simulate(replace(PLAN, attack=attack), tmp_path / "run")
    # As many may be compromised as answer, where an honest one does in each round.
    others = tuple(name for name in IDS if name not in {second[0], third[0]})[:5]
    with Federation(SOME) as federation:
        Attacker(federation, replace(ATTACK, compromised=others))


def test_the_command_trains_under_a_rule(tmp_path: Path, ariba: Ariba) -> None:
    done = ariba(
        *("simulate", "run", "--participants", "7", "--rounds", "1", "--epochs", "1"),
        *("--rule", "multi-krum", "--rule-arg", "f=1", "--sampled", "6", "--failing", "0.2"),
    )
    assert done.returncode == 0, done.stderr
    settings = read_run_file(tmp_path / "run" / "run.json").settings
    assert (settings.rule, settings.rule_arguments) == ("multi-krum", {"f": 1})
    assert len(ids_in(tmp_path / "run" / "round_0001")) == 5
