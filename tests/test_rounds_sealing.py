"""The seal: whole files hashed again on request, and `sha256sum` as a second opinion."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.base.errors import InputError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.reports.published import schema
from ariba_cli.reports.sha256sums import sha256sums
from ariba_cli.rounds.directory import Round, open_round
from ariba_cli.rounds.inspection import inspect_round
from ariba_cli.rounds.sealing import NOT_VERIFIED
from tests.conftest import FIXTURES, Ariba
from tests.models import random_model, write_flat_round, write_model
from tests.reports import verdict_bytes
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
        path = tmp_path / "in" / "participants" / f"p{index}" / "model.safetensors"
        write_model(path, random_model(index))
    assert open_round(tmp_path / "in").verify_seal() == NOT_VERIFIED
    files = [f"participants/p{index}/model.safetensors" for index in range(3)]
    entries = [
        {"path": name, "bytes": (tmp_path / "in" / name).stat().st_size, "sha256": "0" * 64}
        for name in files
    ]
    manifest = {"layout": 1, "round": 1, "kind": "weights", "layers": [], "files": entries}
    (tmp_path / "in" / "manifest.json").write_text(json.dumps(manifest))
    findings = open_round(tmp_path / "in").verify_seal().findings
    assert [finding.participant for finding in findings] == ["p0", "p1", "p2"]
    (tmp_path / "in" / "participants" / "p1" / "more").touch()
    assert [f.detail for f in open_round(tmp_path / "in").findings] == [
        "participants/p1/more is not in manifest.json"
    ]


class Swap:
    """A progress that does something to files once the seal was verified."""

    def __init__(self, swap: Callable[[], object]) -> None:
        self._swap = swap

    def __call__(self, what: str, done: int, total: int) -> None:
        if what == "verifying the seal" and done == total:
            self._swap()


def replace_with_other(path: Path, other: Path) -> None:
    """Put another file in the place of one, of the same size and the same time."""
    before = path.stat()
    assert other.stat().st_size == before.st_size
    copy = path.with_name("copy")
    shutil.copy(other, copy)
    os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(copy, path)


def test_a_file_that_is_swapped_after_it_was_hashed_is_left_out(attacked: Path) -> None:
    """Hashing and reading would otherwise see different files, and the seal would be intact."""
    folder = attacked / "participants"
    swap = Swap(lambda: replace_with_other(folder / "p18.safetensors", folder / "p00.safetensors"))
    verdict = audit(open_round(attacked), AuditSettings(verify_seal=True), swap)
    (finding,) = verdict.findings
    detail = "participants/p18.safetensors changed after the seal was verified"
    assert finding == Finding(FindingKind.SEAL_BROKEN, detail, "p18")
    assert "p18" not in {ranked.id for ranked in verdict.ranking}
    (status,) = (one.status for one in verdict.inputs if one.id == "p18")
    assert status == "seal-broken"
    jsonschema.validate(json.loads(verdict_bytes(verdict, attacked)), json.loads(schema("audit")))


def test_inspection_tells_of_swapped_files_too(attacked: Path) -> None:
    def swap() -> None:
        folder = attacked / "participants"
        replace_with_other(folder / "p18.safetensors", folder / "p00.safetensors")
        os.utime(attacked / "global.safetensors", (1, 1))

    found = inspect_round(open_round(attacked), Swap(swap))
    assert found.seal == "broken"
    assert found.findings == (
        Finding(
            FindingKind.SEAL_BROKEN, "global.safetensors changed after the seal was verified", None
        ),
        Finding(
            FindingKind.SEAL_BROKEN,
            "participants/p18.safetensors changed after the seal was verified",
            "p18",
        ),
    )


def test_a_global_model_elsewhere_has_no_seal_to_break(attacked: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "global.safetensors"
    shutil.copy(attacked / "global.safetensors", elsewhere)
    found = inspect_round(open_round(attacked, global_path=elsewhere))
    assert (found.seal, found.has_global, found.findings) == ("intact", True, ())


def sealed_folders(root: Path) -> Round:
    """Return a sealed round whose participants send folders."""
    for index in range(4):
        name = f"participants/p{index}/model.safetensors"
        write_model(root / name, random_model(index))
    files = []
    for index in range(4):
        name = f"participants/p{index}/model.safetensors"
        data = (root / name).read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        files.append({"path": name, "bytes": len(data), "sha256": sha256})
    manifest = {"layout": 1, "round": 1, "kind": "weights", "layers": [], "files": files}
    (root / "manifest.json").write_text(json.dumps(manifest))
    return open_round(root)


def test_a_model_in_a_file_that_came_after_the_hashing_is_left_out(tmp_path: Path) -> None:
    round_ = sealed_folders(tmp_path)
    path = tmp_path / "participants" / "p2" / "model.safetensors"
    swap = Swap(lambda: path.rename(path.with_name("other.safetensors")))
    settings = AuditSettings(layers=("conv2",), verify_seal=True)
    (finding,) = audit(round_, settings, swap).findings
    detail = "participants/p2/other.safetensors changed after the seal was verified"
    assert finding == Finding(FindingKind.SEAL_BROKEN, detail, "p2")
    # Whoever was there, and was not listed, was a finding from the start.
    (unlisted,) = audit(open_round(tmp_path), settings).findings[1:]
    name = "participants/p2/model.safetensors"
    assert unlisted.detail == f"{name} is in manifest.json, but missing"


def test_a_file_that_shrinks_or_goes_after_the_first_look_is_found(attacked: Path) -> None:
    round_ = open_round(attacked)
    assert round_.findings == ()
    os.truncate(attacked / "participants" / "p03.safetensors", 100)
    (attacked / "participants" / "p04.safetensors").unlink()
    first, second = (finding.detail for finding in round_.verify_seal().findings)
    assert first.startswith("participants/p03.safetensors has 100 bytes; manifest.json says ")
    assert second == "participants/p04.safetensors is in manifest.json, but missing"
    # Of what was found at first, nothing is said twice.
    assert open_round(attacked).verify_seal().findings == ()


def test_a_listed_file_that_became_a_link_breaks_the_seal(attacked: Path, tmp_path: Path) -> None:
    path = attacked / "truth.json"
    shutil.move(path, tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    findings = [*open_round(attacked).findings, *open_round(attacked).verify_seal().findings]
    assert [finding.kind for finding in findings] == [FindingKind.SEAL_BROKEN]


def test_a_seal_leads_nowhere_through_a_link(attacked: Path, tmp_path: Path) -> None:
    """A verdict on its sha256 would tell the content of a file outside the round."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "canary").write_bytes(b"secret")
    (attacked / "p9").symlink_to(tmp_path / "elsewhere")
    path = attacked / "manifest.json"
    content = json.loads(path.read_bytes())
    content["files"].append({"path": "p9/canary", "bytes": 6, "sha256": "0" * 64})
    path.write_text(json.dumps(content))
    found = open_round(attacked)
    assert [f.detail for f in [*found.findings, *found.verify_seal().findings]] == [
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
    sealed = tmp_path / "sealed"
    write_flat_round(sealed / "participants", 3)
    (sealed / name).write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    files = [{"path": name, "bytes": 0, "sha256": empty}]
    manifest = {"layout": 1, "round": 1, "kind": "weights", "layers": [], "files": files}
    (sealed / "manifest.json").write_text(json.dumps(manifest))
    lines = sha256sums(open_round(sealed), for_terminal=False)
    subprocess.run(["sha256sum", "-c", "--strict"], cwd=sealed, input=lines, check=True)


def test_names_on_a_terminal_are_for_the_eyes(tmp_path: Path) -> None:
    write_flat_round(tmp_path / "participants", 3)
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
    assert ariba("audit", attacked, "--fail-on", "nonfinite").returncode == 0
    for condition in ("unsealed", "seal-broken"):
        # Nobody has to know that these need a verified seal.
        assert ariba("audit", attacked, "--fail-on", condition).returncode == 1
    found = ariba("audit", attacked, "--verify-seal", "--fail-on", "unsealed")
    assert found.returncode == 1
    assert b"p07.safetensors is not the file that was sealed" in found.stdout
    assert b"hashed again; see the findings" in found.stdout
    intact = ariba("audit", FIXTURES / "attacked", "--verify-seal").stdout
    assert b"hashed again; none has changed" in intact


def test_the_fixtures_are_as_they_were_sealed() -> None:
    assert os.listdir(FIXTURES / "clean")
    for name in ("clean", "attacked"):
        round_ = open_round(FIXTURES / name)
        assert [*round_.findings, *round_.verify_seal().findings] == []
