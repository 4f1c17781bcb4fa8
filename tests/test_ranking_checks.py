"""The flaws that make a ranking unreliable: the threshold of each check."""

import numpy as np
import numpy.typing as npt
import pytest

from ariba_cli.auditing.ranking_checks import central_participant, dominant, duplicates
from ariba_cli.rounds.members import Member
from ariba_cli.updates.fragments import FragmentLayout, Fragments, Indices
from ariba_cli.updates.intake import Submission


def submissions(*digests: str) -> list[Submission]:
    return [
        Submission(Member(f"p{index}", f"p{index}"), digest=digest)
        for index, digest in enumerate(digests)
    ]


def test_an_update_is_dominant_from_four_times_n_typical_distances_on() -> None:
    """It then moves the mean by more than four times what two updates differ in."""
    several = submissions(*"abcdefgh")
    distances = np.full(8, 1.0)
    distances[3] = 4 * 8 * 1.0
    assert dominant(several, distances, "w") == []
    distances[3] = 4 * 8 * 1.01
    (found,) = dominant(several, distances, "w")
    assert (found.participant, found.facts) == ("p3", {"times": 30.0})


def test_nobody_is_dominant_where_most_are_equal() -> None:
    distances = np.zeros(8)
    distances[3] = 1.0
    assert dominant(submissions(*"abcdefgh"), distances, "w") == []


def test_copies_are_one_finding_for_each_group() -> None:
    found = duplicates(submissions(*"abacbd"), "w")
    assert [one.group for one in found] == [("p0", "p2"), ("p1", "p4")]
    assert {one.participant for one in found} == {None}


class Noted(Fragments):
    """Fragments that note which of their values are asked for."""

    asked: list[int]

    def values_at(self, positions: Indices) -> npt.NDArray[np.floating]:
        """Note them."""
        self.asked = positions.tolist()
        return super().values_at(positions)


def sampled_places(values: npt.NDArray[np.float64]) -> list[int]:
    """Return where the sample is taken."""
    fragments = Noted(values, FragmentLayout(values.shape[1], 1))
    central_participant(fragments)
    return fragments.asked


def test_nobody_can_know_where_the_sample_is_taken() -> None:
    """Whoever knew it could be central there, and extreme everywhere else."""
    values = np.random.default_rng(0).standard_normal((6, 100_000))
    before = sampled_places(values)
    assert sampled_places(values) == before
    assert min(before) < 20_000
    assert max(before) > 80_000
    values[4, 0] += 1
    assert sampled_places(values) != before


def test_the_central_one_is_like_most_others() -> None:
    values = np.random.default_rng(0).standard_normal((9, 500))
    values[[0, 1, 7, 8]] += 50
    assert central_participant(Fragments(values, FragmentLayout(500, 1))) in range(2, 7)


@pytest.mark.parametrize(("participants", "places"), [(6, 64), (1024, 64), (3000, 21)])
def test_of_many_participants_the_sample_is_taken_in_fewer_places(
    participants: int, places: int
) -> None:
    """Each is a read of every file, while a few more values there cost nothing."""
    values = np.random.default_rng(0).standard_normal((participants, 1000))
    asked = np.array(sampled_places(np.repeat(values, 40, axis=1)))
    assert 1 + np.count_nonzero(np.diff(asked) != 1) == pytest.approx(places, abs=4)
    assert 300 < len(asked) <= 4096
