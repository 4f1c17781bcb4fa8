"""The number of processors, and the cases where that cannot be told."""

import os

import pytest

from ariba_cli.base.machine import cores


def test_where_a_system_does_not_tell_who_may_use_what_all_processors_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert cores() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1
