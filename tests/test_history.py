"""Several rounds as one: what is remembered, whom that names, and since when."""

import math
import os
import pickle
import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import ariba_cli as ariba
from ariba_cli.auditing.history import AuditedRound, RunningHistory
from ariba_cli.auditing.observation import Observation
from ariba_cli.auditing.onset import began_at
from ariba_cli.base.errors import InputError
from ariba_cli.base.findings import FindingKind
from ariba_cli.detectors.foolsgold import foolsgold_scores
from ariba_cli.detectors.foolsgold_memory import foolsgold_memory
from ariba_cli.detectors.timeline import (
    SIGNS,
    standing,
    terms_of,
    timeline_scores,
    windows,
)
from ariba_cli.rounds.of_run import contents_of_run
from ariba_cli.scoring.over_rounds import OverRounds
from ariba_cli.scoring.update_statistics import Float64, UpdateStatistics
from tests.conftest import FIXTURES
from tests.made_runs import ATTACKERS, FIRST, IDS, write_run

CLEAN = ariba.audit(FIXTURES / "clean")


def over(p_values: Float64, lengths: Float64 | None = None) -> OverRounds:
    """Rounds of which nothing but p-values, and perhaps lengths, matters."""
    n = p_values.shape[1]
    own = np.where(np.isnan(p_values), np.nan, 1.0) if lengths is None else lengths
    return OverRounds(p_values, own, np.eye(n), np.ones((n, n)))


def uniform(rounds: int, n: int, seed: int = 0) -> Float64:
    return np.random.default_rng(seed).uniform(size=(rounds, n))


def observation(ids: Sequence[str], seed: int = 0, values: int = 20) -> Observation:
    draw = np.random.default_rng(seed)
    updates = draw.standard_normal((len(ids), values))
    gram = updates @ updates.T
    lengths = np.sqrt(np.diagonal(gram))
    usual = np.median(lengths)
    p_values = draw.uniform(size=len(ids))
    return Observation(tuple(ids), p_values, lengths / usual, gram / usual**2, {})


def history_of(*rounds: tuple[int | None, Sequence[str]]) -> RunningHistory:
    """The history of rounds by number and participants."""
    found = RunningHistory()
    for place, (number, ids) in enumerate(rounds):
        found.add(AuditedRound(number, CLEAN, f"{place:064x}", observation(ids, place)))
    return found


def plainly_standing(terms: Float64, floor: float) -> list[float]:
    """Return the result of `standing`, one participant after the other."""
    best = [-math.inf] * terms.shape[1]
    for window in windows(len(terms)):
        for who, value in plainly_in_window(terms[window], floor).items():
            best[who] = max(best[who], value)
    return best


def plainly_in_window(terms: Float64, floor: float) -> dict[int, float]:
    apart: dict[int, list[float]] = {}
    for row in terms:
        usual = float(np.median([value for value in row if not math.isnan(value)]))
        for who, value in enumerate(row):
            if not math.isnan(value):
                apart.setdefault(who, []).append(value - usual)
    most = max(map(len, apart.values()))

    def deviation(count: int) -> float:
        return math.sqrt(count * (1 + 0.3 * (count - 1)))

    means = {
        who: sum(own) / deviation(len(own)) * deviation(most) / most
        for who, own in apart.items()
        if len(own) >= 4
    }
    kept, found, part = set(means), means, 0.5
    for _ in range(12 if means else 0):
        middle = float(np.median([means[who] for who in kept]))
        above = sorted(means[who] - middle for who in kept if means[who] > middle)
        seen = math.ceil(part * len(above))
        total = sum(above[:seen]) + (len(above) - seen) * (above[seen - 1] if above else 0)
        scale = max(total / max(seen, 1), floor)
        found = {who: (own - middle) / scale for who, own in means.items()}
        now = {who for who, value in found.items() if round(value, 6) <= 5}
        if (now == kept and part == 0.8) or len(now) <= len(means) // 2:
            break
        part = 0.8 if now == kept else part
        kept = now
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(2, 12), st.floats(0, 0.5), st.integers(0, 999))
def test_standing_is_that_of_a_plain_computation(
    rounds: int, n: int, share_away: float, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    terms = draw.exponential(size=(rounds, n))
    terms[draw.uniform(size=terms.shape) < share_away] = np.nan
    terms[:, 0] = draw.exponential(size=rounds)
    found = standing(terms, 0.2)
    assert found == pytest.approx(plainly_standing(terms, 0.2), abs=2e-6)


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, (8, 10), elements=st.floats(1e-9, 1)), st.permutations(range(10)))
def test_nobody_s_place_among_the_others_matters(p_values: Float64, order: list[int]) -> None:
    one, other = timeline_scores(over(p_values)), timeline_scores(over(p_values[:, order]))
    assert other.total.tolist() == pytest.approx(one.total[order].tolist())


def test_what_a_round_adds_is_a_normal_deviation_within_limits() -> None:
    p_values = np.array([[0.5, 0.01, 1e-30, 1.0, np.nan]])
    found = terms_of(over(p_values))["evidence"][0]
    inverse = NormalDist().inv_cdf
    expected = [0.0, -inverse(0.01), -inverse(1e-6), -inverse(0.9), math.nan]
    assert found.tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("pattern", ["always", "every second round", "the last third"])
def test_evidence_that_one_round_does_not_suffice_for_adds_up(pattern: str) -> None:
    p_values = uniform(18, 30)
    rows = {"always": slice(None), "every second round": slice(0, None, 2)}.get(
        pattern, slice(12, None)
    )
    p_values[rows, 7] = 0.002
    scores = timeline_scores(over(p_values))
    assert scores.total.argmax() == 7
    assert scores.p_values is not None
    assert scores.p_values[7] < 0.05 / 30
    assert sorted(scores.p_values)[1] > 0.05 / 30


@pytest.mark.parametrize("seed", range(10))
def test_a_fifth_that_is_suspicious_in_different_measure_does_not_hide_itself(seed: int) -> None:
    """A fit that counts them among the usual finds none of them unusual."""
    draw = np.random.default_rng(seed)
    attackers = np.pad(np.linspace(1.5, 2.8, 20), (0, 80))
    deviates = attackers + 0.75 * draw.standard_normal((100, 100))
    p_values = np.vectorize(NormalDist().cdf)(-deviates)
    asked = draw.random((100, 100)).argsort(axis=1) < 10
    found = timeline_scores(over(np.where(asked, p_values, np.nan))).p_values
    assert found is not None
    # There Benjamini and Hochberg name twenty of a hundred.
    named = np.array(found) <= 0.05 * 20 / 100
    assert named[:20].sum() >= 15
    assert named[20:].sum() == 0


@pytest.mark.parametrize("length", [0.3, 3.0])
def test_updates_that_are_short_in_many_rounds_are_as_unusual_as_long_ones(length: float) -> None:
    """Those who have nothing left to learn send little, and look unsuspicious by all else."""
    p_values, lengths = uniform(12, 30), np.exp(0.05 * uniform(12, 30, seed=1))
    p_values[:, 3], lengths[:, 3] = 0.9, length
    scores = timeline_scores(over(p_values, lengths))
    assert scores.total.argmax() == 3
    assert scores.p_values is not None
    assert scores.p_values[3] < 0.05 / 30


def test_of_honest_runs_few_name_anybody() -> None:
    named = 0
    for seed in range(40):
        draw = np.random.default_rng(seed)
        # Of one participant scores depend on each other, as they do where data are unlike.
        own = draw.standard_normal(40)
        normal = NormalDist().cdf
        deviates = (own + draw.standard_normal((10, 40))) / math.sqrt(2)
        p_values = np.vectorize(normal)(deviates)
        found = timeline_scores(over(p_values)).p_values
        assert found is not None
        named += min(found) <= 0.05 / 40
    assert named <= 4


def test_who_took_part_in_few_rounds_is_not_judged() -> None:
    p_values = uniform(12, 20)
    p_values[:, 5] = np.nan
    p_values[:3, 5] = 1e-9
    scores = timeline_scores(over(p_values))
    assert scores.p_values is not None
    assert scores.p_values[5] == 1.0


def test_each_sign_has_its_share_of_all_who_are_named_wrongly() -> None:
    assert sum(sign.share for sign in SIGNS.values()) == pytest.approx(1)


def test_it_began_where_evidence_begins_to_rise() -> None:
    p_values = uniform(20, 30)
    p_values[11:, 4] = [1e-6, 0.8] * 4 + [1e-6]
    usual = np.arange(30) != 4
    assert began_at(over(p_values), 4, usual) == 11


def test_foolsgold_remembers_what_was_sent_in_common_rounds() -> None:
    """Its cosines are those of all updates of each, one behind the other."""
    draw = np.random.default_rng(0)
    rounds = draw.standard_normal((5, 6, 40))
    gram = np.einsum("tiv,tjv->ij", rounds, rounds)
    squares = np.repeat(np.square(rounds).sum(axis=(0, 2))[:, None], 6, axis=1)
    behind = rounds.transpose(1, 0, 2).reshape(6, -1)
    expected = foolsgold_scores(UpdateStatistics(behind @ behind.T, 200, from_global=True))
    found = foolsgold_memory(OverRounds(uniform(5, 6), uniform(5, 6), gram, squares))
    assert found.total == pytest.approx(expected)


def test_sums_are_over_the_rounds_in_which_both_took_part() -> None:
    ids = [IDS[:8], IDS[2:10], IDS[:10], IDS[4:]]
    history = history_of(*enumerate(ids, 1))
    found, names = history._over_rounds(), list(history._places)
    seen = [observation(own, place) for place, own in enumerate(ids)]
    for one in IDS:
        for other in IDS:
            both = [own for own in seen if one in own.ids and other in own.ids]
            expected = sum(own.gram[own.ids.index(one), own.ids.index(other)] for own in both)
            place = names.index(one), names.index(other)
            assert found.gram[place] == pytest.approx(expected)
            squares = sum(own.lengths[own.ids.index(one)] ** 2 for own in both)
            assert found.squares[place] == pytest.approx(squares)
    assert dict(zip(names, found.attended.tolist(), strict=True)) == {
        name: sum(name in own for own in ids) for name in IDS
    }


def test_the_order_of_participants_within_rounds_changes_nothing() -> None:
    straight, turned = RunningHistory(), RunningHistory()
    for number in range(1, 7):
        seen = observation(IDS, number)
        back = np.arange(len(IDS))[::-1]
        other = Observation(
            seen.ids[::-1],
            seen.p_values[back],
            seen.lengths[back],
            seen.gram[np.ix_(back, back)],
            {},
        )
        straight.add(AuditedRound(number, CLEAN, f"{number:064x}", seen))
        turned.add(AuditedRound(number, CLEAN, f"{number:064x}", other))
    assert straight.verdict() == turned.verdict()


@pytest.mark.parametrize(
    ("numbers", "kind", "left"),
    [
        ((1, 2, 2, 3, 4), FindingKind.ROUND_REPEATED, 4),
        ((2, 1, 3, 4, 5), FindingKind.ROUND_ORDER, 4),
        ((1, 2, 3, 7), FindingKind.ROUNDS_MISSING, 4),
        ((1, 2, 3, None), FindingKind.UNNUMBERED, 4),
    ],
)
def test_rounds_that_are_not_in_order_are_findings(
    numbers: tuple[int | None, ...], kind: FindingKind, left: int
) -> None:
    history = history_of(*((number, IDS) for number in numbers))
    found = history.verdict()
    assert [one.kind for one in found.findings] == [kind]
    assert len(found.rounds) == left


def test_the_same_result_twice_counts_once_whatever_its_number() -> None:
    history = history_of(*((number, IDS) for number in range(1, 5)))
    history.add(AuditedRound(5, CLEAN, f"{3:064x}", observation(IDS, 3)))
    assert history.rounds == 4
    assert "the same as round 4" in history.findings[0].detail


def test_ids_that_change_between_runs_are_a_finding() -> None:
    others = [f"q{index}" for index in range(14)]
    history = history_of((1, IDS), (2, IDS), (3, IDS), (4, others))
    (finding,) = history.verdict().findings
    assert finding.kind == FindingKind.OTHER_PARTICIPANTS
    assert "have their ids changed?" in finding.detail


def test_few_rounds_are_too_few() -> None:
    history = history_of((1, IDS), (2, IDS), (2, IDS))
    with pytest.raises(InputError, match=r"takes 4 .* and 2 can be used \(round 2 is there twice"):
        history.verdict()


def test_a_round_more_takes_a_few_numbers_of_each_whatever_the_size_of_updates() -> None:
    def size(rounds: int, values: int) -> int:
        found = RunningHistory()
        for number in range(rounds):
            seen = observation(IDS, number, values)
            found.add(AuditedRound(number, CLEAN, f"{number:064x}", seen))
        return len(pickle.dumps(found))

    assert abs(size(8, 10) - size(8, 100_000)) < 100
    assert size(40, 10) - size(8, 10) < 32 * len(IDS) * 60


def audited(run: Path) -> RunningHistory:
    history = RunningHistory()
    contents = contents_of_run(run)
    assert contents is not None
    for path in contents.rounds:
        ariba.audit(path, history=history)
    return history


def test_attackers_who_come_and_go_are_found_with_their_first_round(tmp_path: Path) -> None:
    """Of others, too, a third is away in each round."""
    run = write_run(
        tmp_path / "run", 12, away=lambda name, number: (int(name[1:]) + number) % 3 == 0
    )
    found = audited(run).verdict()
    assert {one.id for one in found.suspects} == set(ATTACKERS)
    for name in ATTACKERS:
        course = found.course(name)
        assert course.attended == 8
        assert [p is None for p in course.p_values].count(True) == 4
        assert course.began is not None
        assert FIRST <= course.began <= FIRST + 1
        assert course.layers


def test_a_clean_run_names_nobody(tmp_path: Path) -> None:
    found = audited(write_run(tmp_path / "run", attackers=())).verdict()
    assert not found.suspects
    assert all(one.began is None and not one.layers for one in found.courses)


def test_the_rounds_of_a_run_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 3)
    os.rename(run / "round_0001", run / "z")
    shutil.copytree(run / "z", run / "round_0004.partial")
    contents = contents_of_run(run)
    assert contents is not None
    assert [path.name for path in contents.rounds] == ["z", "round_0002", "round_0003"]
    assert [path.name for path in contents.unfinished] == ["round_0004.partial"]
    assert contents_of_run(run / "z") is None
    assert contents_of_run(tmp_path / "nowhere") is None


def test_a_participant_with_a_manifest_in_its_folder_makes_no_run_of_a_round(
    attacked: Path,
) -> None:
    flat = attacked / "participants"
    (flat / "p99").mkdir()
    shutil.copy(attacked / "manifest.json", flat / "p99" / "manifest.json")
    assert contents_of_run(flat) is None
