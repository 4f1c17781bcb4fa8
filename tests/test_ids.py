"""Ids of participants: they come from names of files, and stay what they were."""

import re
from pathlib import Path

import pytest

from ariba_cli.base.findings import FindingKind
from ariba_cli.base.ids import PLAIN_STEM, file_stem
from ariba_cli.rounds.conversion import convert
from ariba_cli.rounds.directory import open_round
from tests.conftest import Ariba
from tests.models import random_model, write_model

HOSPITALS = [
    "site 1",
    "Universitätsklinik Köln",
    "St. Mary's",
    "lab (west)",
    "node+7",
    "клиника имени святого великомученика",
    "a%20b",
    "100%",
    "[x]",
    "~",
    "x*?",
    "-rf",
    "plain",
    "医" * 60,
]


def ids(root: Path) -> list[str]:
    return sorted(member.id for member in open_round(root).participants)


def renamed(root: Path) -> list[tuple[str, ...]]:
    found = open_round(root).findings
    return [finding.group for finding in found if finding.kind == FindingKind.RENAMED]


def test_ids_stay_what_they_were(tmp_path: Path, ariba: Ariba) -> None:
    for seed, name in enumerate(HOSPITALS):
        write_model(tmp_path / "in" / f"{name}.safetensors", random_model(seed))
    done = convert(open_round(tmp_path / "in"), tmp_path / "out")
    assert (done.refused, done.findings) == ((), ())
    assert ids(tmp_path / "in") == ids(tmp_path / "out") == sorted(HOSPITALS)
    assert all(re.fullmatch(PLAIN_STEM, file_stem(name)) for name in HOSPITALS)
    audit = ("--layer", "conv2", "--k-est", "2", "-f", "json", "-o")
    for name in ("in", "out"):
        assert ariba("audit", tmp_path / name, *audit, f"{name}.json").returncode == 0
    assert ariba("verify", "out.json", tmp_path / "out").returncode == 0
    assert ariba("diff", "in.json", "out.json").returncode == 0


@pytest.mark.parametrize("name", [".hidden", "tab\there", "\udcff", "x" * 201, "p0 ", "\u202egnp"])
def test_what_cannot_name_a_file_is_renamed_and_said(tmp_path: Path, name: str) -> None:
    for seed, one in enumerate(("p0", "p1", name)):
        write_model(tmp_path / "in" / f"{one}.safetensors", random_model(seed))
    done = convert(open_round(tmp_path / "in"), tmp_path / "out")
    assert [(one.kind, one.participant) for one in done.findings] == [("renamed", name)]
    assert file_stem(name) in ids(tmp_path / "out")


def test_an_id_that_is_the_code_of_another_does_not_take_its_file(tmp_path: Path) -> None:
    for seed, name in enumerate((".x", "%2Ex", "p2")):
        write_model(tmp_path / "in" / f"{name}.safetensors", random_model(seed))
    done = convert(open_round(tmp_path / "in"), tmp_path / "out")
    assert len(done.participants) == len(ids(tmp_path / "out")) == 3


def test_only_who_shares_a_name_gets_a_longer_one(tmp_path: Path) -> None:
    for seed, name in enumerate(("p0.h5", "p0.safetensors", "p1.h5", "p2.h5", "p2.h5.h5")):
        write_model(tmp_path / name, random_model(seed), "hdf5")
    assert ids(tmp_path) == ["p0.h5", "p0.safetensors", "p1", "p2", "p2.h5"]
    assert renamed(tmp_path) == [("p0.h5", "p0.safetensors")]


def test_a_name_made_to_collide_renames_nobody_else(tmp_path: Path) -> None:
    """Its owner shares it with one who shares another; all others keep theirs."""
    names = ("p0.h5", "p0.safetensors", "p0.h5.h5", "p1.h5", "p2.h5")
    for seed, name in enumerate(names):
        write_model(tmp_path / name, random_model(seed), "hdf5")
    assert ids(tmp_path) == ["p0.h5", "p0.h5.h5", "p0.safetensors", "p1", "p2"]
    # One of them in the folder of participants, whose whole path is what is left.
    write_model(tmp_path / "participants" / "p0.h5", random_model(9), "hdf5")
    assert {"p1", "p2"} < set(ids(tmp_path))
    assert len(set(ids(tmp_path))) == 6
