"""The fuzz targets: what they start from is read, and what they once found stays mended."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from ariba_cli.base.errors import RefusedFileError
from tests.conftest import FIXTURES
from tests.fuzz.harness import attempt
from tests.fuzz.hdf5_mutators import lookup3
from tests.fuzz.mutators import plain_mutation
from tests.fuzz.targets import TARGETS

KEPT = sorted(path for path in (FIXTURES / "hostile" / "fuzz").glob("*/*"))


@pytest.mark.parametrize("reader", TARGETS)
def test_every_seed_is_read(tmp_path: Path, reader: str) -> None:
    for name, data in TARGETS[reader].seeds().items():
        outcome = attempt(TARGETS[reader], data, tmp_path)
        assert (outcome.found is None) == (name == "refused"), outcome
        assert outcome.failure is None, (name, outcome)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_found_once_is_read_or_refused(tmp_path: Path, path: Path) -> None:
    outcome = attempt(TARGETS[path.parent.name], path.read_bytes(), tmp_path)
    assert outcome.failure is None, outcome


@pytest.mark.parametrize("reader", TARGETS)
def test_changed_seeds_are_read_or_refused(tmp_path: Path, reader: str) -> None:
    """The same few every time; `make fuzz` tries many."""
    target, rng = TARGETS[reader], Random(1)
    seeds = list(target.seeds().values())
    read = 0
    for _ in range(60):
        data = target.mutate(rng.choice(seeds), rng, lambda some: plain_mutation(some, rng))
        outcome = attempt(target, data, tmp_path)
        assert outcome.failure is None, (outcome, data)
        read += outcome.found is not None
    assert 0 < read < 60


def test_the_checksum_is_that_of_hdf5() -> None:
    assert lookup3(b"Four score and seven years ago") == 0x17770551


def test_what_is_neither_read_nor_refused_is_a_failure(tmp_path: Path) -> None:
    def stumble(_: Path) -> str:
        raise KeyError

    def shout(_: Path) -> str:
        raise RefusedFileError("two\nlines")

    for read in (stumble, shout):
        target = replace(TARGETS["npy"], read=read)
        assert attempt(target, b"", tmp_path).failure is not None
