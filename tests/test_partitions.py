"""The shares of samples: everything is dealt out once, and as it was asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ariba_cli.base.errors import UsageError
from ariba_cli.federated.partitions import PARTITIONS, parse_partition

# A way for every name in the registry.
WAYS = {
    "iid": "iid",
    "dirichlet": "dirichlet:0.5",
    "lognormal": "lognormal:1.5",
    "shards": "shards:2",
}
LABELS = np.random.default_rng(1).integers(0, 10, 1000)


def deal(way: str, participants: int = 20, seed: int = 5) -> list[np.ndarray]:
    return list(parse_partition(way).deal(LABELS, participants, seed))


def test_the_table_above_has_every_partition() -> None:
    assert list(WAYS) == list(PARTITIONS)


@pytest.mark.parametrize("way", WAYS.values())
def test_every_sample_goes_to_one_participant(way: str) -> None:
    parts = deal(way)
    assert len(parts) == 20
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(LABELS)))
    assert all(np.all(np.diff(part) > 0) for part in parts)


@pytest.mark.parametrize("way", WAYS.values())
def test_the_seed_decides(way: str) -> None:
    one, again, other = deal(way), deal(way), deal(way, seed=6)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_iid_parts_are_as_even_as_can_be() -> None:
    labels = np.zeros(103, int)
    parts = parse_partition("iid").deal(labels, 10, 5)
    assert {len(part) for part in parts} == {10, 11}


def test_dirichlet_parts_are_more_alike_the_greater_alpha() -> None:
    spread = []
    for alpha in ("0.05", "0.5", "1000"):
        counts = np.array(
            [np.bincount(LABELS[part], minlength=10) for part in deal(f"dirichlet:{alpha}")]
        )
        spread.append(counts.std())
    assert spread[0] > 1.5 * spread[1] > 3 * spread[2]
    sizes = {len(part) for part in deal("dirichlet:0.05")}
    assert len(sizes) > 10


def test_lognormal_sizes_have_a_longer_tail_the_greater_sigma() -> None:
    shares = []
    for sigma in ("0.01", "1", "3", "999999"):
        sizes = sorted(len(part) for part in deal(f"lognormal:{sigma}"))
        assert sizes[0] >= 1
        shares.append(sizes[-1] / len(LABELS))
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(0.05, abs=0.01)
    assert shares[-1] == pytest.approx(0.981)
    # All get of all classes.
    largest = max(deal("lognormal:1"), key=len)
    assert len(set(LABELS[largest])) == 10


def test_a_participant_may_get_nothing() -> None:
    assert min(len(part) for part in deal("dirichlet:0.01", participants=50)) == 0


def test_shards_hold_few_classes() -> None:
    # A shard of a twentieth of a sorted tenth touches two classes at most.
    for part in deal("shards:1"):
        assert len(part) == 50
        assert len(set(LABELS[part])) <= 2


@given(st.integers(1, 60), st.sampled_from(sorted(WAYS.values())), st.integers(0, 2**31))
def test_nothing_is_lost_whatever_the_numbers(participants: int, way: str, seed: int) -> None:
    labels = np.arange(150) % 7
    parts = parse_partition(way).deal(labels, participants, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(150))


@pytest.mark.parametrize(("way", "participants"), [("iid", 1001), ("shards:100", 11)])
def test_more_pieces_than_samples_are_refused(way: str, participants: int) -> None:
    with pytest.raises(UsageError, match=r"cannot share 1000 samples as \S+; use fewer"):
        deal(way, participants)


@pytest.mark.parametrize(
    "text", ["iid", "dirichlet:0.5", "dirichlet:100", "lognormal:1.5", "shards:2"]
)
def test_a_partition_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_partition(text)) == text


@pytest.mark.parametrize("text", ["", "even", "iid:1", "dirichlet", "shards"])
@pytest.mark.parametrize("value", ["", "0", "-1", "nan", "1e3", "\u0661", "1.5.2"])
def test_what_is_no_partition_is_refused(text: str, value: str) -> None:
    for wrong in (text, f"dirichlet:{value}", f"shards:{value}", "shards:1.5"):
        with pytest.raises(UsageError, match="--partition"):
            parse_partition(wrong)
