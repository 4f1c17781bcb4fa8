"""The seal: whole files hashed again on request, and `sha256sum` as a second opinion."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.base.errors import InputError
from ariba_cli.base.findings import FindingKind
from ariba_cli.reports.sha256sums import sha256sums
from ariba_cli.rounds.directory import open_round
from tests.conftest import FIXTURES, Ariba
from tests.models import random_model, write_flat_round, write_model
from tests.test_cli_streams import on_a_terminal


def flip_last_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_a_flipped_bit_anywhere_is_found_when_the_seal_is_verified(attacked: Path) -> None:
    flip_last_bit(attacked / "participants" / "p07.safetensors")
    flip_last_bit(attacked / "global.safetensors")
    quick = audit(open_round(attacked), AuditSettings())
    assert quick.findings == ()
    full = audit(open_round(attacked), AuditSettings(verify_seal=True))
    assert [(f.kind, f.participant) for f in full.findings] == [
        (FindingKind.SEAL_BROKEN, None),
        (FindingKind.SEAL_BROKEN, "p07"),
    ]
    assert full.method.seal_verified
    assert not quick.method.seal_verified


def test_files_in_folders_of_participants_belong_to_them(tmp_path: Path) -> None:
    for index in range(3):
        path = tmp_path / "in" / f"p{index}" / "model.safetensors"
        write_model(path, random_model(index))
    assert open_round(tmp_path / "in").verify_seal() == []
    files = [f"p{index}/model.safetensors" for index in range(3)]
    entries = [
        {"path": name, "bytes": (tmp_path / "in" / name).stat().st_size, "sha256": "0" * 64}
        for name in files
    ]
    manifest = {"layout": 1, "round": 1, "kind": "weights", "layers": [], "files": entries}
    (tmp_path / "in" / "manifest.json").write_text(json.dumps(manifest))
    findings = open_round(tmp_path / "in").verify_seal()
    assert [finding.participant for finding in findings] == ["p0", "p1", "p2"]
    (tmp_path / "in" / "p1" / "more").touch()
    assert [f.detail for f in open_round(tmp_path / "in").findings] == [
        "p1/more is not in manifest.json"
    ]


def test_a_listed_file_that_became_a_link_breaks_the_seal(attacked: Path, tmp_path: Path) -> None:
    path = attacked / "truth.json"
    shutil.move(path, tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    findings = [*open_round(attacked).findings, *open_round(attacked).verify_seal()]
    assert [finding.kind for finding in findings] == [FindingKind.SEAL_BROKEN]


def test_a_seal_leads_nowhere_through_a_link(attacked: Path, tmp_path: Path) -> None:
    """Whether its sha256 is right would tell what is in a file that is none of the round's."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "canary").write_bytes(b"secret")
    (attacked / "p9").symlink_to(tmp_path / "elsewhere")
    path = attacked / "manifest.json"
    content = json.loads(path.read_bytes())
    content["files"].append({"path": "p9/canary", "bytes": 6, "sha256": "0" * 64})
    path.write_text(json.dumps(content))
    found = open_round(attacked)
    assert [f.detail for f in [*found.findings, *found.verify_seal()]] == [
        "p9 is not in manifest.json",
        "p9/canary is in manifest.json, but missing",
    ]


def test_sha256sum_checks_a_seal(attacked: Path, ariba: Ariba) -> None:
    lines = ariba("inspect", attacked, "--sha256sums").stdout
    assert len(lines.splitlines()) == 22
    check = ["sha256sum", "--check", "--strict", "--quiet"]
    subprocess.run(check, cwd=attacked, input=lines, check=True)
    flip_last_bit(attacked / "participants" / "p07.safetensors")
    failed = subprocess.run(check, cwd=attacked, input=lines, capture_output=True, check=False)
    assert failed.stdout == b"participants/p07.safetensors: FAILED\n"


@pytest.mark.parametrize("name", ["back\\slash", "two\nlines", "-rf", "caf\u00e9", "not\udcffutf8"])
def test_sha256sum_reads_every_name(tmp_path: Path, name: str) -> None:
    write_flat_round(tmp_path, 3)
    sealed = tmp_path / "sealed"
    sealed.mkdir()
    (sealed / name).write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    files = [{"path": name, "bytes": 0, "sha256": empty}]
    manifest = {"layout": 1, "round": 1, "kind": "weights", "layers": [], "files": files}
    (sealed / "manifest.json").write_text(json.dumps(manifest))
    lines = sha256sums(open_round(sealed), for_terminal=False)
    subprocess.run(["sha256sum", "-c", "--strict"], cwd=sealed, input=lines, check=True)


def test_names_on_a_terminal_are_for_the_eyes(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 3)
    files = [{"path": "\x1b]0;owned\x07", "bytes": 0, "sha256": "0" * 64}]
    manifest = {"layout": 1, "round": 1, "kind": "weights", "layers": [], "files": files}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    shown, code = on_a_terminal("inspect", tmp_path, "--sha256sums")
    assert code == 0
    assert shown == b"0" * 64 + rb"  \x1b]0;owned\x07" + b"\n"


def test_what_is_not_sealed_has_no_seal_to_print(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 3)
    with pytest.raises(InputError, match=r"no seal to print: the round has no manifest\.json"):
        sha256sums(open_round(tmp_path), for_terminal=False)


def test_verifying_is_an_option_of_audit(attacked: Path, ariba: Ariba) -> None:
    flip_last_bit(attacked / "participants" / "p07.safetensors")
    assert ariba("audit", attacked, "--fail-on", "unsealed").returncode == 0
    found = ariba("audit", attacked, "--verify-seal", "--fail-on", "unsealed")
    assert found.returncode == 1
    assert b"p07.safetensors is not the file that was sealed" in found.stdout
    assert b"hashed again; see the findings" in found.stdout
    intact = ariba("audit", FIXTURES / "attacked", "--verify-seal").stdout
    assert b"hashed again; all are as they were sealed" in intact


def test_the_fixtures_are_as_they_were_sealed() -> None:
    assert os.listdir(FIXTURES / "clean")
    for name in ("clean", "attacked"):
        round_ = open_round(FIXTURES / name)
        assert [*round_.findings, *round_.verify_seal()] == []
