"""The number of processors, the cases where that cannot be told, and work on all of them."""

import os

import pytest

from ariba_cli.base.machine import cores
from ariba_cli.base.parallel import thread_map


def test_where_a_system_does_not_tell_who_may_use_what_all_processors_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert cores() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1


@pytest.mark.parametrize("count", [0, 1, 2, 63, 64, 129, 5000])
def test_results_come_in_the_order_of_the_items_however_many_are_taken_at_a_time(
    count: int,
) -> None:
    numbers = range(count)
    found = list(thread_map(lambda a, b: (a, b), numbers, reversed(numbers), workers=2))
    assert found == list(zip(numbers, reversed(numbers), strict=True))


def test_an_error_comes_when_it_is_its_turn_and_ends_the_work() -> None:
    done: list[int] = []

    def work(number: int) -> int:
        done.append(number)
        if number == 100:
            raise LookupError
        return number

    found: list[int] = []
    with pytest.raises(LookupError):
        found.extend(thread_map(work, range(10_000), workers=2))
    # Of the batch in which it is, nothing is returned.
    assert found == list(range(len(found)))
    assert len(found) <= 100
    assert len(done) < 10_000
