"""Every engine gives the marks and digits of exact sums, and the marks of the oracle."""

import math
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ariba_cli.base.errors import UsageError
from ariba_cli.native.compensated import Compensated
from ariba_cli.scoring import cpu, devices, engine, gpu, near_cuts, selection
from ariba_cli.scoring.covariance import (
    distances_from_reference,
    exactly_whitened,
    quick_sums,
    uncertainty,
)
from ariba_cli.scoring.cpu import Cpu
from ariba_cli.scoring.devices import DeviceChoice
from ariba_cli.scoring.gpu import Gpu
from ariba_cli.scoring.marks import Cutoff, Marks
from ariba_cli.scoring.whitening import whitening
from ariba_cli.updates.fragments import FragmentLayout, Fragments
from tests.oracle import oracle

Array = npt.NDArray[np.floating]


def nobody(_: str) -> None:
    raise AssertionError("nothing should be said")


@dataclass(frozen=True)
class Layer:
    """One layer of a round, in memory, with the k_est to audit it by."""

    values: Array
    cut: FragmentLayout
    k_est: int
    reference: int = 0

    def fragments(self) -> Fragments:
        return Fragments(self.values, self.cut, self.reference)

    def exactly(self) -> Marks:
        """Return the marks that all engines have to find: by exact sums, without quick ones."""
        fragments = self.fragments()
        from_reference = distances_from_reference(fragments, Cpu())
        return engine._exactly(from_reference, fragments, self.k_est, Cpu(), keep_distances=False)


def in_memory(layer: Layer) -> Marks:
    return engine.score(layer.fragments(), layer.k_est)


def in_pieces(layer: Layer) -> Marks:
    """As values that stay in their files are: in four chunks or more."""
    chunk_bytes = layer.values.nbytes // 4
    fragments = Fragments(list(layer.values), layer.cut, layer.reference, chunk_bytes=chunk_bytes)
    return engine.score(fragments, layer.k_est)


def in_full(layer: Layer) -> Marks:
    """With the distances of all fragments, as evidence has them."""
    return engine.score(layer.fragments(), layer.k_est, keep_distances=True)


def in_torch(layer: Layer) -> Marks:
    return engine.score(layer.fragments(), layer.k_est, Gpu("cpu", nobody))


ENGINES: dict[str, Callable[[Layer], Marks]] = {
    "in memory": in_memory,
    "in pieces": in_pieces,
    "in torch": in_torch,
}


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small layers go through all that large ones do: blocks and pieces."""
    monkeypatch.setattr(cpu, "_BLOCK_VALUES", 2**12)
    monkeypatch.setattr(gpu, "_PIECE_BYTES", 2**14)
    monkeypatch.setattr(selection, "_CLOSE_VALUES", 2**10)
    monkeypatch.setattr(near_cuts, "_BLOCK", 2**9)
    monkeypatch.setattr(near_cuts, "_HELD_BYTES", 2**14)


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    """Random layers, with ties, singular covariances, outliers, and a common offset."""
    n = draw(st.sampled_from([3, 4, 7, 20, 50, 200]))
    d = draw(st.sampled_from([1, 2, 3, 9, 9, 9, 25, 64, 150, 300]))
    m = draw(st.integers(1, max(1, 40_000 // (n * d))))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = rng.standard_normal((n, m, d))
    values[: draw(st.integers(0, n // 3))] *= draw(st.sampled_from([1.0, 10.0, 1000.0]))
    if draw(st.booleans()):
        values[..., draw(st.integers(0, d - 1))] = 0
    if draw(st.booleans()):
        # What nearly, or wholly, follows from another coordinate.
        values[..., 0] = values[..., -1] + draw(st.sampled_from([0, 1e-7, 0.1])) * values[..., 0]
    if draw(st.booleans()):
        values = np.round(values)
    if draw(st.booleans()):
        values[1] = values[0]
    values += draw(st.sampled_from([0.0, 1.0, 100.0])) * rng.standard_normal((m, d))
    flat = values.reshape(n, -1) * draw(st.sampled_from([1e-20, 1e-3, 1.0, 1e15]))
    kind = draw(st.sampled_from(["float16", "bfloat16", "float32", "float64"]))
    k_est = draw(st.integers(1, n - 1))
    return Layer(stored(flat, kind), FragmentLayout(m, d), k_est, draw(st.integers(0, n - 1)))


def stored(values: Array, kind: str) -> Array:
    """Values as the readers give them that were stored in a type."""
    if kind == "bfloat16":
        bits = values.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
        return bits.view(np.float32)
    if kind == "float16":
        # What is too large for it would be infinite, and left out.
        values = values / max(1.0, float(np.abs(values).max()) / 60_000)
        return values.astype(np.float16).astype(np.float32)
    return values.astype(kind)


def rank_is_clear(layer: Layer) -> bool:
    """Return True if float64 can tell every direction from an empty one.

    Coordinates that are zero, or equal to another, are empty to the last bit.
    """
    used = layer.values[:, : layer.cut.fragments * layer.cut.dimension].astype(np.float64)
    rows = (used - used.mean(axis=0)).reshape(-1, layer.cut.dimension)
    columns = np.unique(rows[:, rows.any(axis=0)], axis=1)
    if columns.shape[1] == 0:
        return False
    eigenvalues = np.linalg.eigvalsh(columns.T @ columns / np.square(columns).sum())
    return bool(eigenvalues.min() > 1e-10)


def found(marks: Marks) -> tuple[list[list[int]], int | None, float, float]:
    return marks.by_k_est.tolist(), marks.covariance_rank, marks.cut_distance, marks.cut_margin


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(layer=layers())
def test_every_engine_finds_what_exact_sums_give_and_the_oracle_marks(layer: Layer) -> None:
    expected = layer.exactly()
    for name, score in (ENGINES | {"in full": in_full}).items():
        assert found(score(layer)) == found(expected), name
    cut = layer.cut
    right = oracle(list(layer.values), cut.fragments, cut.dimension, layer.k_est)
    offset = float(np.abs(layer.values).max())
    spread = float(np.abs(layer.values - layer.values.mean(axis=0)).max())
    # What float64 can know of a distance, by the condition of the covariance.
    known = 1e-13 * right.condition * (1 + offset / spread if spread else 1)
    certain = max(known, 1e-9) < right.margin and known < 1e-3
    if expected.marked and certain and rank_is_clear(layer):
        assert expected.scores.tolist() == right.scores
        assert expected.covariance_rank == right.rank


def usual(seed: int, n: int = 20, m: int = 700, d: int = 9) -> Layer:
    values = np.random.default_rng(seed).standard_normal((n, m * d)).astype(np.float32)
    values[:2] *= 5
    return Layer(values, FragmentLayout(m, d), 4)


@pytest.mark.parametrize("name", ENGINES)
def test_quick_sums_settle_what_is_usual(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [found(usual(seed).exactly()) for seed in range(10)]
    monkeypatch.setattr(engine, "exactly_whitened", nobody)
    assert [found(ENGINES[name](usual(seed))) for seed in range(10)] == expected


@pytest.mark.parametrize("name", ENGINES)
def test_a_tie_at_the_cut_is_settled_by_exact_sums(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.tile(usual(0, n=4, m=701).values, (5, 1))
    asked = []

    def counted(fragments: Fragments) -> object:
        asked.append(fragments)
        return exactly_whitened(fragments)

    monkeypatch.setattr(engine, "exactly_whitened", counted)
    marks = ENGINES[name](Layer(values, FragmentLayout(701, 9), 2))
    assert marks.cut_margin == 0
    assert len(asked) == 1


@pytest.mark.parametrize("name", ENGINES)
def test_only_the_cut_that_is_reported_is_looked_at_closely(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = []

    def counted(*arguments: Any) -> npt.NDArray[np.float64]:
        looked_at.append(len(arguments[2]))
        return exact_of(*arguments)

    exact_of = selection._exact_of
    monkeypatch.setattr(selection, "_exact_of", counted)
    ENGINES[name](usual(1))
    assert looked_at == [2]


@pytest.mark.parametrize("name", ENGINES)
def test_rough_distances_are_off_by_less_than_is_allowed_for(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With far more roughness, more is looked at closely, and nothing changes."""
    expected = [found(ENGINES[name](usual(seed))) for seed in range(5)]
    monkeypatch.setattr(selection, "_roughness", lambda _: selection._ROUGHEST)
    assert [found(ENGINES[name](usual(seed))) for seed in range(5)] == expected


@pytest.mark.parametrize(("k_est", "most"), [(4, 0.03), (9, 0.1)])
def test_few_fragments_are_put_in_order(k_est: int, most: float) -> None:
    """Whatever k_est is: those in the bins of its cuts, and in the bins beside them."""
    layer = usual(2, m=4000)
    fragments = layer.fragments()
    distances = near_cuts.Distances(fragments, exactly_whitened(fragments), Cpu())
    cuts = 4000 * np.arange(1, 2 * k_est + 1)
    runs = near_cuts.near(distances, cuts)
    assert runs is not None
    assert sum(len(run.which) for run in runs) < most * fragments.total
    assert [place for run in runs for place in range(*run.cuts.indices(99))] == list(
        range(2 * k_est)
    )


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(layer=layers())
def test_what_cannot_be_put_in_order_is_marked_all_the_same(layer: Layer) -> None:
    expected = found(layer.exactly())
    with patch.multiple(near_cuts, _FEW=0, _SMALL_SHARE=0):
        assert found(in_memory(layer)) == expected


def test_fragments_that_are_alike_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Untouched by all, they are at the same distance, and cuts are among them."""
    layer = usual(4, m=40_000)
    layer.values.reshape(20, 40_000, 9)[:, 4000:] = 0
    expected = found(layer.exactly())
    monkeypatch.setattr(near_cuts, "_FEW", 2**10)
    fragments = layer.fragments()
    tracemalloc.start()
    try:
        assert found(engine.score(fragments, layer.k_est)) == expected
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The distances and a copy, and the bins.
    assert peak < 16 * fragments.total + 2**24


@pytest.mark.parametrize("held", [True, False])
def test_few_distances_are_held_and_many_are_found_again(
    held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = usual(2)
    fragments = Fragments(list(layer.values), layer.cut, chunk_bytes=layer.values.nbytes // 4)
    monkeypatch.setattr(near_cuts, "_HELD_BYTES", 8 * fragments.total - (not held))
    distances = near_cuts.Distances(fragments, exactly_whitened(fragments), Cpu())
    twice = [list(distances.map(lambda _, piece: piece.copy())) for _ in range(2)]
    assert [len(pieces) > 3 for pieces in twice] == [not held] * 2
    expected = exactly_whitened(fragments).distances(fragments.centred(0, 700).reshape(-1, 9))
    for pieces in twice:
        found = np.sqrt(np.concatenate(pieces, axis=1))
        assert found.reshape(-1) == pytest.approx(expected, rel=1e-12)


def test_doubt_is_larger_than_what_quick_sums_are_off_by() -> None:
    for seed in range(5):
        layer = usual(seed)
        sums = quick_sums(layer.fragments(), Cpu())
        quick = whitening(sums.products / layer.fragments().total)
        exact = exactly_whitened(layer.fragments())
        rows = layer.fragments().centred(0, 700).reshape(-1, 9)
        share = np.abs(quick.distances(rows) / exact.distances(rows) - 1).max()
        assert share < uncertainty(sums.additions, quick, 10.0) < 1e-9


def test_doubt_is_infinite_for_a_covariance_that_may_be_singular() -> None:
    values = usual(3).values.copy().reshape(20, 700, 9)
    values[..., 4] = values[..., 5]
    fragments = Fragments(values.reshape(20, -1), FragmentLayout(700, 9))
    sums = quick_sums(fragments, Cpu())
    assert uncertainty(sums.additions, whitening(sums.products), 1.0) == math.inf


@pytest.mark.parametrize(
    ("end", "doubt", "certain"),
    [
        (Cutoff(2.0, 1.9), 1e-9, True),
        (Cutoff(2.0, 2.0), 1e-12, False),
        (Cutoff(2.0, 2.0 - 1e-12), 1e-12, False),
        # Its margin is 0.0105, between two of the numbers that a report can give.
        (Cutoff(2.0, 1.979), 1e-9, False),
        (Cutoff(2.000005, 1.5), 1e-9, False),
        (Cutoff(2.0, 1.5), math.inf, False),
    ],
)
def test_what_doubt_leaves_certain(end: Cutoff, doubt: float, certain: bool) -> None:
    assert end.is_certain(doubt) is certain


def test_a_compensated_sum_loses_nothing_to_the_order() -> None:
    numbers = np.random.default_rng(4).standard_normal(2000) * 10.0 ** np.arange(2000).clip(0, 12)
    numbers = np.concatenate([numbers, -numbers, [1e-3]])
    total = Compensated((1,))
    for number in numbers:
        total.add(np.array([number]))
    assert total.total[0] == pytest.approx(math.fsum(numbers), rel=1e-6)
    assert sum(numbers) != pytest.approx(math.fsum(numbers), rel=1e-6)


def test_the_distance_from_the_reference_is_that_of_the_values() -> None:
    layer = Layer(usual(5).values, FragmentLayout(700, 9), 4, reference=7)
    expected = np.linalg.norm(layer.values.astype(np.float64) - layer.values[7], axis=1)
    for score in ENGINES.values():
        assert score(layer).from_reference == pytest.approx(expected)


def test_too_little_memory_on_a_card_is_said_and_gone_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    said: list[str] = []
    products = gpu._products

    def scarce(rows: "torch.Tensor") -> "tuple[torch.Tensor, int]":
        if len(rows) > 100:
            raise torch.OutOfMemoryError
        return products(rows)

    layer = usual(6)
    expected = found(in_memory(layer))
    monkeypatch.setattr(gpu, "_products", scarce)
    monkeypatch.setattr(gpu, "_PIECE_BYTES", 2**20)
    marks = engine.score(layer.fragments(), layer.k_est, Gpu("cpu", said.append))
    assert found(marks) == expected
    assert said
    assert all("short of memory; continuing with" in line for line in said)


def test_a_fragment_that_no_card_can_hold_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def never(_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(gpu, "_products", never)
    layer = usual(6, m=20)
    with pytest.raises(torch.OutOfMemoryError):
        engine.score(layer.fragments(), layer.k_est, Gpu("cpu", lambda _: None))


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:99", "mps", ""])
def test_a_device_that_is_not_there_is_a_usage_error(device: str) -> None:
    with pytest.raises(UsageError, match="device"):
        DeviceChoice(device).processor(usual(0).fragments())


def test_a_card_is_taken_by_itself_for_large_layers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    fragments = usual(0).fragments()
    assert isinstance(DeviceChoice().processor(fragments), Cpu)
    monkeypatch.setattr(devices, "_DRIVER", "/")
    assert isinstance(DeviceChoice().processor(fragments), Cpu)
    monkeypatch.setattr(devices, "_WORTH_A_CARD", 1000)
    taken = []

    def made(name: str, _: object) -> Cpu:
        taken.append(name)
        return Cpu()

    monkeypatch.setattr(gpu, "Gpu", made)
    DeviceChoice().processor(fragments)
    assert taken == ["cuda"]
    DeviceChoice("cpu").processor(fragments)
    assert taken == ["cuda"]
