"""The panel: what each sign sees, what it must not see, and that nobody hides from all."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy.cluster import hierarchy

import ariba_cli as ariba
from ariba_cli.scoring.panel.clusters import close_groups
from ariba_cli.scoring.panel.groups import Groups, groups_of
from ariba_cli.scoring.panel.judging import judge, part_in_model
from ariba_cli.scoring.panel.pairs import pair_cosines
from ariba_cli.scoring.panel.robust import deviations, excess_of, gap_evidence, share_distance
from ariba_cli.scoring.panel.signs import SIGNS
from ariba_cli.scoring.panel.tails import BUILT_IN, OF_STANDING, smallest_of
from ariba_cli.scoring.update_statistics import OutputLayer, Updates, UpdateStatistics
from ariba_cli.verdicts.verdict import DetectorResult, Score
from tests.conftest import FIXTURES

Float64 = npt.NDArray[np.float64]
Changed = Callable[[dict[str, Float64]], None]

N, CLASSES, WIDTH = 24, 10, 40
SHAPES = {"conv.weight": (8, 4, 3, 3), "fc.weight": (CLASSES, WIDTH), "fc.bias": (CLASSES,)}


def updates(seed: int = 0, n: int = N) -> dict[str, Float64]:
    """Return honest updates: a part in common, a part of one's own, classes that sum to zero."""
    draw = np.random.default_rng(seed)
    found = {}
    for name, shape in SHAPES.items():
        found[name] = 0.5 * draw.standard_normal(shape) + draw.standard_normal((n, *shape))
    for name in ("fc.weight", "fc.bias"):
        found[name] -= found[name].mean(axis=1, keepdims=True)
    return found


def statistics(delta: Float64, start: Float64) -> UpdateStatistics:
    flat, theta = delta.reshape(len(delta), -1), start.reshape(-1)
    return UpdateStatistics(
        gram=flat @ flat.T,
        values=flat.shape[1],
        from_global=True,
        along_global=flat @ theta,
        global_square=float(theta @ theta),
    )


def groups(delta: dict[str, Float64]) -> Groups:
    """Return what the panel sees of updates, with a global model that is always the same."""
    draw = np.random.default_rng(99)
    start = {name: draw.standard_normal(shape) for name, shape in SHAPES.items()}
    layers = {name: statistics(own, start[name]) for name, own in delta.items()}
    first, *rest = layers.values()
    weight = delta["fc.weight"]
    output = OutputLayer(
        layer="fc.weight",
        bias_layer="fc.bias",
        row_squares=np.square(weight).sum(axis=2),
        sum_squares=np.square(weight.sum(axis=1)).sum(axis=1),
        bias=delta["fc.bias"],
    )
    sides: dict[str, tuple[Float64, ...]] = {
        name: (
            np.square(own).reshape(len(own), own.shape[1], -1).sum(axis=2),
            np.square(own).reshape(*own.shape[:3], -1).sum(axis=(1, 3)),
        )
        for name, own in delta.items()
        if own.ndim > 2
    }
    return groups_of(Updates(sum(rest, start=first), layers, SHAPES, output, sides))


def chances(sign: str, change: Changed) -> Float64:
    """Return the chance by one sign, of updates of which some were changed."""
    delta = updates()
    change(delta)
    found = judge(groups(delta))
    return found.signs[sign]


def everywhere(delta: dict[str, Float64], change: Callable[[Float64], None]) -> None:
    for own in delta.values():
        change(own)


def boost(delta: dict[str, Float64]) -> None:
    """Make the update of p3 ten times as long."""
    for own in delta.values():
        own[3] *= 10


def collude(delta: dict[str, Float64]) -> None:
    """Let p3, p7 and p9 send much of the same."""
    draw = np.random.default_rng(5)
    for own in delta.values():
        own[[3, 7, 9]] += draw.standard_normal(own.shape[1:])


def shrink(delta: dict[str, Float64]) -> None:
    """Let p3 move against the global model's weights."""
    draw = np.random.default_rng(99)
    for name, shape in SHAPES.items():
        start = draw.standard_normal(shape)
        if name == "conv.weight":
            delta[name][3] -= 0.7 * start


def pull(delta: dict[str, Float64]) -> None:
    """Let all corrections of p3 for class 7 pull one way."""
    delta["fc.bias"][3, 7] *= 60


def lose(delta: dict[str, Float64]) -> None:
    """Let what p3 did to the output layer be nothing that cross-entropy does."""
    delta["fc.weight"][3] += 0.5


def share(delta: dict[str, Float64]) -> None:
    """Let p3 move its convolution three times as far as the others do, and nothing else."""
    delta["conv.weight"][3] *= 3


def trigger(delta: dict[str, Float64]) -> None:
    """Let p3 move an input that the others leave as it is, and itself no further than they do."""
    for own in delta["fc.weight"]:
        own[:, 5] *= 0.05
    moved = delta["fc.weight"][3]
    length = np.linalg.norm(moved)
    moved[:, 5] *= 100
    moved *= length / np.linalg.norm(moved)


SEES = {
    "size": (boost, [3]),
    "same": (collude, [3, 7, 9]),
    "group": (collude, [3, 7, 9]),
    "beyond": (collude, [3, 7, 9]),
    "along": (shrink, [3]),
    "push": (pull, [3]),
    "nonsoftmax": (lose, [3]),
    "profile": (share, [3]),
    "units": (trigger, [3]),
}


@pytest.mark.parametrize("sign", SIGNS)
def test_a_sign_sees_what_it_is_for(sign: str) -> None:
    change, who = SEES[sign]
    found = chances(sign, change)
    others = np.delete(found, who)
    assert found[who].max() < 0.01
    assert found[who].max() < others.min()


@pytest.mark.parametrize("sign", SIGNS)
def test_a_sign_sees_nothing_in_honest_updates(sign: str) -> None:
    assert chances(sign, lambda _: None).min() > 1e-3


@pytest.mark.parametrize("sign", [one for one in SIGNS if one != "size"])
def test_the_length_of_an_update_is_seen_by_size_alone(sign: str) -> None:
    assert chances(sign, boost)[3] > 1e-3


def test_nothing_is_read_from_classes_where_their_updates_do_not_sum_to_zero() -> None:
    """So it is under Adam, and in a layer that is no output layer."""
    delta = updates()
    delta["fc.weight"] += 1.0
    assert set(judge(groups(delta)).signs) == {"along", "same", "group", "profile", "units", "size"}


def test_normalised_networks_are_not_seen_along_single_layers() -> None:
    draw = np.random.default_rng(0)
    plain, normed = {}, {}
    for index in range(12):
        model = {"conv.weight": draw.standard_normal((6, 4, 3, 3))}
        plain[f"p{index}"] = model
        normed[f"p{index}"] = {**model, "bn.weight": draw.standard_normal(6)}
    start = {"conv.weight": np.ones((6, 4, 3, 3)), "bn.weight": np.ones(6)}
    first = ariba.score(plain, global_model=start, deltas=True, detectors="panel")
    second = ariba.score(normed, global_model=start, deltas=True, detectors="panel")
    assert first.ranking != second.ranking


def test_one_sign_that_leaves_no_doubt_convicts() -> None:
    """Whatever the other signs do not see."""
    delta = updates()
    boost(delta)
    found = judge(groups(delta))
    assert found.chances[3] < 1e-6
    assert np.delete(found.chances, 3).min() > 1e-3


def test_a_gap_says_little_where_the_honest_differ_much() -> None:
    draw = np.random.default_rng(4)
    alike, unlike = 0.1 * draw.standard_normal(50), 1.5 * draw.standard_exponential(50)
    for honest in (alike, unlike):
        honest[:5] = honest[5:].max() + 1.2
    assert gap_evidence(alike)[:5].min() > 11
    assert gap_evidence(unlike)[:5].max() < 0.8 * gap_evidence(alike)[:5].min()
    assert gap_evidence(alike)[5:].max() < 3


def test_the_distance_of_shares_is_that_of_a_plain_computation() -> None:
    draw = np.random.default_rng(6)
    squares = draw.uniform(0.5, 2, (8, 5))
    kept = np.array([True] * 6 + [False] * 2)
    shares = squares / squares.sum(axis=1, keepdims=True)
    mean = shares[kept].mean(axis=0)
    found = share_distance(squares, kept)
    for i in range(8):
        others = [k for k in range(8) if kept[k] and k != i]
        apart = shares[i] - shares[others].mean(axis=0)
        variance = np.square(shares[others] - mean).mean(axis=0)
        expected = (np.square(apart) / (variance + 0.1 * variance.mean())).mean()
        assert found[i] == pytest.approx(expected)


def test_those_who_copy_the_usual_value_do_not_make_the_others_unusual() -> None:
    draw = np.random.default_rng(1)
    values = draw.standard_normal(40)
    values[:10] = 0.0
    kept = np.zeros(40, dtype=bool)
    kept[:21] = True
    assert np.abs(deviations(values, kept)).max() < 7


def panel(given: dict[str, Float64], **options: object) -> DetectorResult:
    n = len(next(iter(given.values())))
    sent = {f"p{i:02}": {name: own[i] for name, own in given.items()} for i in range(n)}
    verdict = ariba.score(sent, deltas=True, k_est=1, detectors="panel", **options)  # type: ignore[arg-type]
    return verdict.detectors[0]


def least(result: DetectorResult) -> float:
    return min(chance_of(one) for one in result.scores)


def chance_of(score: Score) -> float:
    assert score.p_value is not None
    return score.p_value


@pytest.mark.parametrize("seed", range(5))
def test_independent_noise_is_no_evidence(seed: int) -> None:
    draw = np.random.default_rng(seed)
    given = {"w": draw.standard_normal((50, 30, 40)), "v": draw.standard_normal((50, 200, 3))}
    assert least(panel(given)) > 0.05 / 50


def test_equal_updates_rank_nobody() -> None:
    assert panel({"w": np.ones((12, 6, 4))}).scores == ()


@pytest.mark.parametrize("n", range(3, 10))
def test_few_participants_are_ranked(n: int) -> None:
    found = panel(updates(1, n))
    assert len(found.scores) in (0, n)
    assert all(np.isfinite(one.score) for one in found.scores)


def test_without_a_global_model_only_likeness_is_seen() -> None:
    given = updates()
    collude(given)
    sent = {f"p{i:02}": {name: own[i] for name, own in given.items()} for i in range(N)}
    found = ariba.score(sent, k_est=3, detectors="panel")
    assert found.detectors[0].parameters == {"signs": "same, group"}
    assert {one.id for one in found.suspects} == {"p03", "p07", "p09"}


def test_idle_participants_and_a_huge_one_leave_the_others_as_they_are() -> None:
    given = updates()
    for own in given.values():
        own[[5, 6]] = 0.0
        own[11] *= 1e30
    found = panel(given)
    assert found.scores[0].id == "p11"
    assert len(found.scores) == N - 2
    assert all(np.isfinite(one.score) for one in found.scores)


@pytest.mark.parametrize("idle", [[5, 6, 8], [i for i in range(N) if i % 4]])
def test_who_left_the_examined_layers_alone_is_not_judged(idle: list[int]) -> None:
    given = updates()
    examined = list(given)
    for own in given.values():
        own[idle] = 0.0
    # They changed something, or they would not be there at all.
    given["other.weight"] = np.ones((N, 2, 2))
    found = {one.id: one.p_value for one in panel(given, layers=examined).scores}
    assert [found[f"p{i:02}"] for i in idle] == [1.0] * len(idle)
    assert len(found) == N


@pytest.mark.parametrize("factor", [0.01, 1.0, 1e4])
def test_nobody_hides_behind_decoys(factor: float) -> None:
    """Two fifths of all are decoys of any length, and three collude."""
    given = updates(2)
    draw = np.random.default_rng(8)
    decoys = list(range(14, 23))
    for own in given.values():
        own[decoys] += 0.8 * draw.standard_normal(own.shape[1:])
        own[decoys] *= factor
    collude(given)
    found = panel(given)
    places = {one.id: place for place, one in enumerate(found.scores)}
    honest = [f"p{i:02}" for i in range(N) if i not in (3, 7, 9, *decoys)]
    assert max(places[one] for one in ("p03", "p07", "p09")) < min(places[one] for one in honest)


def test_a_group_is_found_though_some_of_it_are_hardly_unusual() -> None:
    """Twelve of 50 send something of the same, five of them less than the others."""
    given = updates(4, 50)
    draw = np.random.default_rng(5)
    compromised = np.arange(12)
    amounts = np.where(compromised < 7, 0.4, 0.35)
    for name, own in given.items():
        shared = draw.standard_normal(own.shape[1:])
        if name.startswith("fc"):
            shared -= shared.mean(axis=0)
        own[compromised] += amounts.reshape(-1, *[1] * shared.ndim) * shared
    found = judge(groups(given)).chances
    assert (found[compromised] < 0.03).sum() >= 11
    assert (found[12:] < 0.01).sum() <= 1


def test_chances_fall_with_the_value_and_are_chances() -> None:
    values = np.linspace(-5, 60, 500)
    for key, tail in BUILT_IN.tails.items():
        found = tail.chance(values)
        assert (np.diff(found) <= 0).all(), key
        assert ((found >= 0) & (found <= 1)).all(), key
        assert tail.chance(np.array([tail.median]))[0] == pytest.approx(0.5)
        assert tail.chance(np.array([tail.rare]))[0] == pytest.approx(0.05)
        rare = np.array([0.04, 1e-6])
        assert tail.chance(tail.reached_at(rare)) == pytest.approx(rare)
        assert tail.reached_at(np.array([0.2]))[0] == -np.inf
        heavy = tail._replace(shape=0.3)
        assert heavy.chance(heavy.reached_at(rare)) == pytest.approx(rare)
        assert heavy.chance(np.array([tail.rare]))[0] == pytest.approx(0.05)
        # Both have the same mean beyond the rare value.
        steps = tail.rare + tail.excess * np.expm1(np.linspace(0, np.log(4000), 10_001))
        assert np.trapezoid(heavy.chance(steps), steps) / 0.05 == pytest.approx(
            tail.excess, rel=0.01
        )
    least = min(
        int(key.removeprefix(OF_STANDING)) for key in BUILT_IN.tails if key.startswith(OF_STANDING)
    )
    standing = np.array([9.0])
    assert BUILT_IN.of_standing(1, standing) == BUILT_IN.of_standing(least, standing)


def test_the_excess_is_that_of_an_exponential_whatever_the_highest_are() -> None:
    draw = np.random.default_rng(4)
    scores = draw.exponential(7.0, 4000)
    found = excess_of(scores)
    assert found == pytest.approx(7.0, rel=0.06)
    attacked = np.where(scores > np.quantile(scores, 0.95), 1e6, scores)
    assert excess_of(attacked) == pytest.approx(found, rel=1e-9)
    # Of a few, or of none, it is what participants of other rounds have.
    assert excess_of(np.zeros(20)) == pytest.approx(3.0)


@pytest.mark.parametrize("seed", range(3))
def test_close_groups_are_those_of_scipy(seed: int) -> None:
    draw = np.random.default_rng(seed)
    rows = draw.standard_normal((24, 60))
    rows[[2, 5, 11, 17]] += 3 * draw.standard_normal(60)
    cosines = np.asarray(np.corrcoef(rows))
    found = close_groups(cosines)
    assert found[0].members.tolist() == [2, 5, 11, 17]
    apart = np.round(1 - cosines, 9)[np.triu_indices(24, 1)]
    joined = hierarchy.linkage(apart, "average")
    members = {one: [one] for one in range(24)}
    for step, (one, other, _, _) in enumerate(joined):
        members[24 + step] = members[int(one)] + members[int(other)]
    wanted = {tuple(sorted(own)) for own in members.values() if 3 <= len(own) < 12}
    assert {tuple(one.members.tolist()) for one in found} == wanted
    at = {tuple(sorted(members[24 + step])): joined[step, 2] for step in range(23)}
    first = tuple(found[0].members.tolist())
    # The group around it is the smallest that has all its members and more.
    around = min((own for own in at if set(first) < set(own)), key=len)
    assert found[0].apart == pytest.approx(at[around] - at[first])


def test_a_short_update_counts_by_the_square_of_its_length() -> None:
    delta = updates()
    for own in delta.values():
        own[4] *= 0.1
        own[5] *= 0.4
    given = groups(delta)
    usual = float(np.median(given.norms))
    found = part_in_model(given, np.ones(N, dtype=bool))
    assert found == pytest.approx(np.minimum(1, (given.norms / (0.8 * usual)) ** 2))
    assert found[4] < 0.05 < found[5] < 0.5
    assert np.delete(found, [4, 5]).min() > 0.5


def test_the_smallest_of_several_chances_is_no_surprise() -> None:
    several = [np.array([0.5, 0.01]), np.array([0.5, 0.5])]
    assert smallest_of(several) == pytest.approx([0.75, 1 - 0.99**2])
    assert smallest_of([np.array([1e-200])])[0] == pytest.approx(1e-200)


def test_a_minority_does_not_move_deviations() -> None:
    draw = np.random.default_rng(0)
    values = draw.standard_normal(41)
    everybody = np.ones(41, dtype=bool)
    before = deviations(values, everybody)
    values[:8] = 1e9
    assert np.abs(deviations(values, everybody)[8:] - before[8:]).max() < 1.5
    assert deviations(np.full(9, 3.0), everybody[:9]).tolist() == [0.0] * 9


def test_pair_cosines_are_those_of_a_plain_computation() -> None:
    draw = np.random.default_rng(3)
    rows = draw.standard_normal((9, 30))
    kept = np.array([True] * 7 + [False] * 2)
    found = pair_cosines([rows @ rows.T], kept)
    for i in range(9):
        for j in range(9):
            if i == j:
                continue
            others = [k for k in range(9) if kept[k] and k not in (i, j)]
            mean = rows[others].mean(axis=0)
            one, other = rows[i] - mean, rows[j] - mean
            expected = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
            assert found[i, j] == pytest.approx(expected, abs=1e-9)


def test_the_compromised_are_told_and_nobody_in_a_clean_round() -> None:
    attacked = ariba.audit(FIXTURES / "attacked", detectors="panel").detectors[0]
    assert {one.id for one in attacked.scores if chance_of(one) < 1e-4} == {"p15", "p18"}
    assert least(ariba.audit(FIXTURES / "clean", detectors="panel").detectors[0]) > 0.05
