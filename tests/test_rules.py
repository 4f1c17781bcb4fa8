"""Every aggregation rule: what its publication says, whoever sends what, in whatever order."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ariba_cli.aggregation.aggregate import aggregate_round
from ariba_cli.aggregation.in_memory import next_model, updates_in_memory
from ariba_cli.aggregation.rules import RULES, make_rule
from ariba_cli.aggregation.rules.declaration import Need
from ariba_cli.aggregation.rules.foolsgold import foolsgold_weights
from ariba_cli.aggregation.rules.geometric_median import weiszfeld
from ariba_cli.aggregation.updates import RoundUpdates
from ariba_cli.base import parallel
from ariba_cli.base.errors import AribaError, InputError, UsageError
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.writing import RoundWriter, new_directory
from ariba_cli.updates import reading
from docs.make import AGGREGATION, aggregation_page
from tests.conftest import FIXTURES, Ariba
from tests.rule_oracle import ORACLES
from tests.test_aggregate import assert_same, read

Float64 = npt.NDArray[np.float64]
Model = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Row:
    """The properties that must hold for a rule.

    Attributes
    ----------
    translates : bool
        True if its result moves with all updates.
    scales : bool
        True if its result grows with them.
    most_f : int, optional
        The largest f of eleven updates.
    outlier : float
        The farthest that an update of length 1,000 may move it, in lengths of an honest update.
    """

    translates: bool
    scales: bool
    most_f: int | None = None
    outlier: float = 2.0


TABLE = {
    "fedavg": Row(translates=True, scales=True, outlier=math.inf),
    "krum": Row(translates=True, scales=True, most_f=4),
    "multi-krum": Row(translates=True, scales=True, most_f=4),
    "bulyan": Row(translates=True, scales=True, most_f=2),
    "median": Row(translates=True, scales=True),
    "trimmed-mean": Row(translates=True, scales=True, most_f=5),
    "geometric-median": Row(translates=True, scales=True),
    # A single attacker is like nobody else.
    "foolsgold": Row(translates=False, scales=True, outlier=math.inf),
    "norm-clip": Row(translates=False, scales=True),
    "accuracy-check": Row(translates=False, scales=False),
    "spectral-vae": Row(translates=False, scales=True),
    "audit": Row(translates=False, scales=False),
}
# Little training suffices for what does not depend on how well a rule has learnt.
QUICK: dict[str, dict[str, float]] = {"spectral-vae": {"steps": 20}}
WITH_ORACLE = list(ORACLES)


def draw(seed: int, n: int = 11, common: float = 0.5) -> Float64:
    """Return n updates that have something in common, and of unlike length."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((n, 57)) * rng.uniform(0.5, 2, (n, 1))
    found: Float64 = common * rng.standard_normal(57) + own
    # As float32, so that what is sent is what is meant.
    return found.astype(np.float32).astype(np.float64)


def model(flat: Float64) -> Model:
    values = flat.astype(np.float32)
    return {
        "fc.weight": values[:50].reshape(5, 10),
        "fc.bias": values[50:55],
        "out.bias": values[55:],
    }


def flat(one: Model) -> Float64:
    return np.concatenate([values.reshape(-1) for values in one.values()]).astype(np.float64)


def aggregated(delta: Float64, name: str, *, eta: float = 1.0, **arguments: Any) -> Float64:
    """Return what a rule makes of updates that are counted from a model of zeros."""
    sent = {f"p{i:02}": model(one) for i, one in enumerate(delta)}
    start = model(np.zeros(delta.shape[1]))
    rule = make_rule(name, QUICK.get(name, {}) | arguments)
    return flat(next_model(start, sent, eta, rule, accuracy=judged, public=known))


def known() -> Iterator[RoundUpdates]:
    """Yield two honest rounds."""
    for seed in (98, 99):
        sent = {f"p{i:02}": model(one) for i, one in enumerate(draw(seed))}
        yield updates_in_memory(model(np.zeros(57)), sent)


def judged(one: Mapping[str, npt.NDArray[np.float32]]) -> float:
    """Return an accuracy that falls with how far a model is from zeros."""
    return 1 / (1 + float(np.linalg.norm(flat(dict(one)))))


def close(found: Float64, expected: Float64) -> None:
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


def test_the_table_has_every_rule() -> None:
    assert set(RULES) == set(TABLE) == {*ORACLES, "accuracy-check", "spectral-vae", "audit"}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_declares_what_there_is_to_know(name: str) -> None:
    declared = make_rule(name).declaration
    assert declared.name == name
    assert all((declared.summary, declared.equation, declared.source, declared.fails))
    assert all(one.meaning and one.said_default for one in declared.arguments.values())


def test_the_page_of_rules_has_what_they_declare() -> None:
    assert AGGREGATION.read_text("utf-8") == aggregation_page(), "run make docs"


@pytest.mark.parametrize("name", WITH_ORACLE)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(3, 13))
def test_a_rule_is_that_of_its_publication(name: str, seed: int, n: int) -> None:
    delta = draw(seed, n)
    close(aggregated(delta, name), ORACLES[name](delta, **make_rule(name).settled(n)))


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.most_f is not None])
def test_every_f_that_fits_does_what_it_says(name: str) -> None:
    delta, most = draw(5), TABLE[name].most_f
    assert most is not None
    for f in range(most + 1):
        close(aggregated(delta, name, f=f), ORACLES[name](delta, f=f))
    with pytest.raises(
        UsageError, match=rf"f is {most + 1}; with 11 updates .* f from 0 to {most}$"
    ):
        aggregated(delta, name, f=most + 1)


@pytest.mark.parametrize("name", RULES)
def test_another_order_of_participants_changes_nothing(name: str) -> None:
    delta = draw(1)
    order = np.random.default_rng(0).permutation(len(delta))
    close(aggregated(delta[order], name), aggregated(delta, name))


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.translates])
def test_a_rule_moves_with_all_updates(name: str) -> None:
    delta, shift = draw(2), np.linspace(-4, 4, 57)
    moved = (delta + shift).astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(
        aggregated(moved, name), aggregated(delta, name) + shift, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.scales])
def test_a_rule_grows_with_all_updates(name: str) -> None:
    delta = draw(3)
    close(aggregated(1024 * delta, name) / 1024, aggregated(delta, name))


@pytest.mark.parametrize("name", RULES)
def test_an_outlier_moves_what_it_should_not_by_little(name: str) -> None:
    """It is a thousand times as long as others, and moves plain averages as far as it likes."""
    delta = draw(4, common=0.2)
    delta[6] *= 1000
    usual = float(np.median(np.sqrt(np.sum(delta**2, axis=1))))
    away = np.linalg.norm(aggregated(delta, name) - ORACLES["fedavg"](np.delete(delta, 6, axis=0)))
    assert (away > 20 * usual) == (TABLE[name].outlier == math.inf)
    assert away <= TABLE[name].outlier * usual


def saved(path: Path, delta: Float64) -> Path:
    with new_directory(path) as partial:
        writer = RoundWriter(partial)
        writer.write_global(model(np.zeros(delta.shape[1])))
        for index, one in enumerate(delta):
            writer.write_participant(f"p{index:02}", model(one))
        writer.seal(round_number=3, kind="weights", layers=list(model(delta[0])))
    return path


@pytest.mark.parametrize("name", RULES)
def test_files_threads_and_memory_change_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    delta = draw(6)
    round_ = open_round(saved(tmp_path / "round", delta))
    arguments = {"noise": 0.1} if name == "norm-clip" else {}
    rule = make_rule(name, QUICK.get(name, {}) | arguments)
    # An audit wants to hold what is small.
    little = 2**20 if name == "audit" else 0
    monkeypatch.setattr(reading, "_OPENED_ONCE_BYTES", 0)
    for threads, memory in ((1, None), (2, None), (2, little)):
        monkeypatch.setattr(parallel, "cores", lambda threads=threads: threads)
        monkeypatch.setattr(reading, "_MOST_HELD", 0 if memory == little else 2**20)
        out = tmp_path / f"{threads}-{memory}"
        aggregate_round(
            round_,
            out,
            rule=rule,
            eta=0.5,
            max_memory=memory,
            noise_seed=7,
            accuracy=judged,
            public=known,
        )
    assert len({path.read_bytes() for path in tmp_path.glob("?-*")}) == 1
    sent = {f"p{i:02}": model(one) for i, one in enumerate(delta)}
    start = model(np.zeros(delta.shape[1]))
    found = next_model(start, sent, 0.5, rule, noise_seed=7, accuracy=judged, public=known)
    assert_same(read(tmp_path / "1-None"), dict(found))


@pytest.mark.parametrize("name", RULES)
def test_without_a_global_model_only_those_that_need_it_are_refused(
    tmp_path: Path, name: str
) -> None:
    delta = draw(8)
    path = saved(tmp_path / "round", delta)
    (path / "manifest.json").unlink()
    (path / "global.safetensors").unlink()
    rule = make_rule(name)
    if Need.GLOBAL_MODEL in rule.declaration.needs:
        with pytest.raises(InputError, match=r"needs the global model.* --global"):
            aggregate_round(open_round(path), tmp_path / "out", rule=rule)
        assert not (tmp_path / "out").exists()
    else:
        aggregate_round(open_round(path), tmp_path / "out", rule=rule)
        by_order = {name: read(tmp_path / "out")[name] for name in model(delta[0])}
        close(flat(by_order), aggregated(delta, name))


@pytest.mark.parametrize("name", RULES)
def test_samples_are_weights_or_are_refused(tmp_path: Path, name: str) -> None:
    round_ = open_round(saved(tmp_path / "round", draw(9)))
    samples = {f"p{i:02}": 1 + i for i in range(11)}
    rule = make_rule(name, QUICK.get(name))
    if not rule.declaration.by_samples:
        with pytest.raises(UsageError, match="counts everybody equally; leave out --weights"):
            aggregate_round(round_, tmp_path / "out", rule=rule, samples=samples)
        return
    out, plain_out = tmp_path / "out", tmp_path / "plain"
    done = aggregate_round(round_, out, rule=rule, samples=samples, accuracy=judged, public=known)
    plain = aggregate_round(round_, plain_out, rule=rule, accuracy=judged, public=known)
    ratios = [done.shares[one] / plain.shares[one] / samples[one] for one in plain.used]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("name", RULES)
def test_too_few_updates_are_refused_in_a_line(name: str, n: int) -> None:
    rule = make_rule(name)
    if n < rule.declaration.fewest:
        with pytest.raises(InputError, match=f"needs at least {rule.declaration.fewest} updates"):
            aggregated(draw(0, n), name)
    else:
        assert np.isfinite(aggregated(draw(0, n), name)).all()


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("krumm", {}, "unknown rule 'krumm'; did you mean 'krum'"),
        ("nothing", {}, "use one of fedavg, krum"),
        ("krum", {"g": 1}, "krum takes no argument 'g'; it takes f"),
        ("norm-clip", {"nois": 1}, "did you mean 'noise'"),
        ("median", {"f": 1}, "median takes no argument 'f'; it takes none"),
        ("krum", {"f": -1}, "f of krum must be an integer of at least 0, not '-1'"),
        ("krum", {"f": 1.5}, "must be an integer"),
        ("krum", {"f": True}, "must be an integer"),
        ("norm-clip", {"noise": None}, "must be a number"),
        ("norm-clip", {"noise": math.nan}, "must be a number"),
        ("norm-clip", {"norm": 0}, "must be a number of at least 1e-12"),
        ("audit", {"level": 1}, "must be a number from 1e-06 to 0.999999"),
    ],
)
def test_what_a_rule_does_not_take_is_said(name: str, arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(AribaError, match=why):
        make_rule(name, arguments)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(3, 12), far=st.sampled_from([1.0, 1e9]))
def test_units_towards_the_updates_cancel_at_the_geometric_median(
    seed: int, n: int, far: float
) -> None:
    delta = draw(seed, n)
    delta[0] *= far
    weights = weiszfeld(delta @ delta.T)
    assert weights.sum() == pytest.approx(1)
    away = delta - weights @ delta
    lengths = np.sqrt(np.sum(away**2, axis=1))
    near = lengths < 1e-4 * np.median(lengths)
    units = np.sum(away[~near] / lengths[~near, None], axis=0)
    # At an update itself, the others may pull by one.
    assert np.linalg.norm(units) <= 1e-6 + near.sum()


def test_the_geometric_median_of_equal_updates_is_that_update() -> None:
    delta = np.repeat(draw(0, 1), 5, axis=0)
    close(aggregated(delta, "geometric-median"), delta[0])
    delta[4] += 100
    np.testing.assert_allclose(aggregated(delta, "geometric-median"), delta[0], atol=1e-4)


def test_foolsgold_leaves_out_twins_and_keeps_whoever_is_like_nobody() -> None:
    delta = np.zeros((5, 57))
    delta[:3, :3] = np.eye(3)
    delta[3:, 40] = 1, 2
    sent = {f"p{i}": model(one) for i, one in enumerate(delta)}
    found = flat(next_model(model(np.zeros(57)), sent, 1.0, make_rule("foolsgold")))
    close(found, delta[:3].sum(axis=0) / 3)
    assert foolsgold_weights(np.array([1.0, 1.0])).tolist() == [0, 0]
    # Where all are alike, nobody counts, and the global model stays.
    twins = {f"p{i}": model(np.ones(57)) for i in range(4)}
    kept = next_model(model(np.full(57, 3.0)), twins, 1.0, make_rule("foolsgold"))
    assert flat(kept).tolist() == [3.0] * 57


def test_clipped_updates_keep_their_direction_and_are_no_longer_than_the_norm() -> None:
    delta = draw(3, 1)
    found = aggregated(delta, "norm-clip", norm=0.5)
    assert np.linalg.norm(found) == pytest.approx(0.5, rel=1e-6)
    close(found / 0.5, delta[0] / np.linalg.norm(delta[0]))


def test_noise_is_as_large_as_it_says_and_comes_from_the_seed() -> None:
    start = {"w": np.zeros(20_000, np.float32), "bn.running_var": np.ones(9, np.float32)}
    sent = dict.fromkeys(("a", "b", "c"), start)
    rule = make_rule("norm-clip", {"noise": 0.25})
    one, again, other = (next_model(start, sent, 1.0, rule, noise_seed=seed) for seed in (1, 1, 2))
    assert_same(dict(one), dict(again))
    assert (one["w"] != other["w"]).all()
    assert one["w"].std() == pytest.approx(0.25, rel=0.03)
    # A variance with noise could be negative.
    assert one["bn.running_var"].tolist() == [1.0] * 9


def test_bulyan_stays_within_what_krum_has_selected() -> None:
    delta = draw(11)
    delta[:2] *= -50
    found = aggregated(delta, "bulyan", f=2)
    honest = delta[2:]
    assert (found >= honest.min(axis=0) - 1e-6).all()
    assert (found <= honest.max(axis=0) + 1e-6).all()


def test_the_audit_leaves_out_the_compromised(tmp_path: Path) -> None:
    done = aggregate_round(
        open_round(FIXTURES / "attacked"), tmp_path / "out", rule=make_rule("audit")
    )
    assert set(done.shares) - set(done.used) == {"p15", "p18"}


def test_the_accuracy_check_leaves_out_who_loses_more_than_it_pardons() -> None:
    delta = draw(12, 6)
    worse = {2: 0.15, 4: 0.05}

    def accuracy(one: Mapping[str, npt.NDArray[np.float32]]) -> float:
        near = np.abs(delta - flat(dict(one))).sum(axis=1)
        # That of the others is no single update.
        return 0.9 - (worse.get(int(near.argmin()), 0.0) if near.min() < 1e-3 else 0.0)

    sent = {f"p{i:02}": model(one) for i, one in enumerate(delta)}
    start = model(np.zeros(57))
    for gamma, away in ((0.1, [2]), (0.2, []), (0.01, [2, 4])):
        rule = make_rule("accuracy-check", {"gamma": gamma})
        found = flat(next_model(start, sent, 1.0, rule, accuracy=accuracy))
        close(found, np.delete(delta, away, axis=0).mean(axis=0))
    with pytest.raises(InputError, match=r"needs the data .* --run"):
        next_model(start, sent, 1.0, make_rule("accuracy-check"))


def test_the_accuracy_check_knows_the_others_beside_one_that_is_huge() -> None:
    delta = draw(13, 5)
    delta[3] = 1e30
    seen = []

    def accuracy(one: Mapping[str, npt.NDArray[np.float32]]) -> float:
        seen.append(flat(dict(one)))
        return 0.5

    sent = {f"p{i:02}": model(one) for i, one in enumerate(delta)}
    next_model(model(np.zeros(57)), sent, 1.0, make_rule("accuracy-check"), accuracy=accuracy)
    close(seen[7], np.delete(delta, 3, axis=0).mean(axis=0))


def test_the_command_checks_the_accuracy_on_the_data_of_the_run(
    tmp_path: Path, attacked: Path, ariba: Ariba
) -> None:
    command = ("aggregate", attacked, "--rule", "accuracy-check", "--out", "out")
    # A copy of the round has no run.json beside it.
    without = ariba(*command)
    assert (without.returncode, without.stderr.count(b"\n")) == (2, 1)
    assert b"it is needed for the data and the model" in without.stderr
    done = ariba(*command, "--run", FIXTURES / "run.json")
    assert done.returncode == 0, done.stderr
    assert b"by accuracy-check, gamma 0.1 with eta 1; wrote out" in done.stderr
    assert {line.split("\t")[1] for line in done.stdout.decode().splitlines()} <= {"accuracy-check"}
    assert (tmp_path / "out").exists()


def test_the_command_says_who_is_left_out_by_the_rule(
    tmp_path: Path, attacked: Path, ariba: Ariba
) -> None:
    done = ariba("aggregate", attacked, "--rule", "multi-krum", "--rule-arg", "f=2", "--out", "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"p15\tmulti-krum\np18\tmulti-krum\n"
    assert b"averaged 18 of 20 by multi-krum, f 2 with eta 1; wrote out" in done.stderr
    wrong = ariba("aggregate", attacked, "--rule", "krum", "--rule-arg", "f=9", "--out", "no")
    assert (wrong.returncode, wrong.stderr.count(b"\n")) == (2, 1)
    assert b"f is 9; with 20 updates krum takes an f from 0 to 8" in wrong.stderr
    assert not (tmp_path / "no").exists()


def test_the_list_of_rules_has_all_of_them(ariba: Ariba) -> None:
    listed = ariba("aggregate", "--list-rules").stdout.decode()
    assert [name for name in RULES if name not in listed] == []
    assert "an integer of at least 0" in listed
