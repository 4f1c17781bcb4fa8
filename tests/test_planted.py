"""Manifests and truths that participants put among the updates are a finding, and not believed."""

import json
import shutil
from pathlib import Path

import pytest

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.base.errors import InputError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.rounds.directory import Round, open_round
from ariba_cli.rounds.truth import truth_of
from tests.conftest import FIXTURES, Ariba
from tests.models import random_model, write_model

ATTACKED = FIXTURES / "attacked"
HONEST = "p00"


def planted_seal(folder: Path, kind: str = "weights") -> None:
    """Write a manifest that fits what is there, but for the order of the layers."""
    content = json.loads((ATTACKED / "manifest.json").read_bytes())
    layers = content["layers"][::-1]
    (folder / "manifest.json").write_text(json.dumps({**content, "layers": layers, "kind": kind}))


def planted_truth(folder: Path) -> None:
    """Say that somebody else was compromised."""
    (folder / "truth.json").write_text(json.dumps({"compromised": [HONEST], "attack": {}}))


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """Return a folder in which all put their updates."""
    return Path(shutil.copytree(ATTACKED / "participants", tmp_path / "flat"))


def kinds(round_: Round) -> list[FindingKind]:
    return [finding.kind for finding in round_.findings]


def test_a_seal_among_the_updates_is_not_believed(flat: Path) -> None:
    before = audit(open_round(flat), AuditSettings(layers=("all",)))
    planted_seal(flat, kind="difference")
    round_ = open_round(flat)
    assert round_.manifest is None
    assert kinds(round_) == [FindingKind.UNSEALED, FindingKind.PLANTED]
    assert round_.findings[1].facts == {"files": 1}
    assert round_.findings[1].detail.startswith("ariba ignores manifest.json, since ")
    after = audit(round_, AuditSettings(layers=("all",)))
    assert after.method == before.method
    assert after.ranking == before.ranking
    assert len(round_.participants) == 20


def test_a_truth_among_the_updates_is_not_believed(flat: Path, ariba: Ariba) -> None:
    planted_truth(flat)
    with pytest.raises(InputError, match="lies among the updates, where any participant could"):
        truth_of(open_round(flat))
    done = ariba("audit", flat, "--truth")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.count(b"\n") == 1


def test_neither_is_carried_into_a_round_that_is_believed(
    tmp_path: Path, flat: Path, ariba: Ariba
) -> None:
    planted_seal(flat, kind="difference")
    planted_truth(flat)
    assert ariba("convert", flat, "--out", tmp_path / "sealed").returncode == 0
    sealed = open_round(tmp_path / "sealed")
    assert sealed.manifest is not None
    assert sealed.manifest.kind == "weights"
    assert sealed.manifest.layers[0] == "conv1.bias"
    assert "truth.json" not in sealed.files
    assert sealed.findings == ()


def test_what_lies_in_the_folder_of_all_participants_is_none_of_them(attacked: Path) -> None:
    planted_seal(attacked / "participants")
    planted_truth(attacked / "participants")
    round_ = open_round(attacked)
    assert len(round_.participants) == 20
    assert round_.planted == ("participants/manifest.json", "participants/truth.json")
    assert kinds(round_) == [
        FindingKind.UNLISTED_FILE,
        FindingKind.UNLISTED_FILE,
        FindingKind.PLANTED,
    ]
    # What was written beside that folder is still believed.
    assert round_.manifest is not None
    assert truth_of(round_).compromised == ("p15", "p18")


def test_what_lies_in_the_folder_of_one_participant_is_a_finding(tmp_path: Path) -> None:
    for index in range(4):
        write_model(tmp_path / f"p{index}" / "model.safetensors", random_model(index))
    planted_seal(tmp_path / "p3")
    planted_truth(tmp_path / "p3")
    round_ = open_round(tmp_path)
    assert [one.id for one in round_.participants] == ["p0", "p1", "p2", "p3"]
    assert round_.planted == ("p3/manifest.json", "p3/truth.json")
    assert kinds(round_) == [FindingKind.UNSEALED, FindingKind.PLANTED]


def test_an_update_of_that_name_is_an_update(attacked: Path, flat: Path) -> None:
    for folder in (attacked / "participants", flat):
        write_model(folder / "truth.json", random_model(1))
    for root in (attacked, flat):
        round_ = open_round(root)
        assert "truth" in {one.id for one in round_.participants}
        assert round_.planted == ()


def test_one_participant_called_participants_brings_no_seal(tmp_path: Path) -> None:
    for index in range(4):
        write_model(tmp_path / f"p{index}" / "model.safetensors", random_model(index))
    for index in range(9):
        write_model(tmp_path / "participants" / f"s{index}.safetensors", random_model(9))
    planted_seal(tmp_path)
    round_ = open_round(tmp_path)
    assert len(round_.participants) == 5
    assert round_.planted == ("manifest.json",)
    assert round_.manifest is None


def test_of_many_a_few_are_named(tmp_path: Path) -> None:
    for index in range(8):
        write_model(tmp_path / f"p{index}" / "model.safetensors", random_model(index))
        planted_truth(tmp_path / f"p{index}")
    (_, planted) = open_round(tmp_path).findings
    assert planted == Finding(FindingKind.PLANTED, "", facts={"files": 8})
    assert ", p4/truth.json and 3 more, since any participant" in planted.detail


def test_it_can_stop_a_deployment(flat: Path, ariba: Ariba) -> None:
    assert ariba("audit", flat, "--fail-on", "planted").returncode == 0
    planted_seal(flat)
    done = ariba("audit", flat, "--fail-on", "planted")
    assert done.returncode == 1
    assert b"planted: ariba ignores manifest.json" in done.stdout
    assert ariba("audit", flat, "--fail-on", "unsealed").returncode == 1
