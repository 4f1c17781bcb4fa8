"""The directories that count as rounds, their participants, and their seals."""

import json
import os
from pathlib import Path

import h5py
import pytest

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import open_file
from ariba_cli.formats import open_model
from ariba_cli.formats.model import Model, ReadOptions
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.members import Member
from tests.conftest import FIXTURES
from tests.models import random_model, write_flat_round, write_model


def kinds(root: Path) -> list[FindingKind]:
    return [finding.kind for finding in open_round(root).findings]


def test_a_sealed_round() -> None:
    found = open_round(FIXTURES / "clean")
    assert [member.id for member in found.participants] == [f"p{i:02}" for i in range(20)]
    assert found.global_model is not None
    assert found.manifest is not None
    assert (found.manifest.round, found.manifest.kind) == (60, "weights")
    assert found.findings == ()


def test_any_flat_directory_of_models_is_a_round(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 3)
    write_model(tmp_path / "p9.h5", random_model(9), "hdf5")
    write_model(tmp_path / "global.h5", random_model(10), "hdf5")
    found = open_round(tmp_path)
    assert [member.id for member in found.participants] == ["p0", "p1", "p2", "p9"]
    assert found.global_model is not None
    assert kinds(tmp_path) == [FindingKind.UNSEALED]


def test_files_with_the_same_stem_go_by_their_whole_names(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 2)
    write_model(tmp_path / "p0.h5", random_model(9), "hdf5")
    ids = [member.id for member in open_round(tmp_path).participants]
    assert ids == ["p0.h5", "p0.safetensors", "p1"]
    write_model(tmp_path / "p0.h5.h5", random_model(9), "hdf5")
    ids = [member.id for member in open_round(tmp_path).participants]
    assert len(set(ids)) == 4


def test_names_that_are_not_utf8_have_their_place(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 2)
    os.rename(
        os.fsencode(tmp_path / "p1.safetensors"), os.fsencode(tmp_path) + b"/p\xff.safetensors"
    )
    assert [member.id for member in open_round(tmp_path).participants] == ["p0", "p\udcff"]


def test_what_is_no_round(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "round_0001.partial").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "run" / "round_0002.partial").mkdir(parents=True)
    (tmp_path / "run" / "run.json").touch()
    os.symlink(FIXTURES / "clean", tmp_path / "run" / "round_0001")
    for path, message in [
        ("nowhere", "there is no directory"),
        ("empty", "holds no updates"),
        ("round_0001.partial", "never finished"),
        ("file", "try ariba inspect"),
        ("run", "is not a round but holds rounds; try .*round_0001"),
    ]:
        with pytest.raises(InputError, match=message):
            open_round(tmp_path / path)


def test_no_participant_can_pass_a_round_off_as_a_run(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 3)
    (tmp_path / "p9").mkdir()
    (tmp_path / "p9" / "manifest.json").write_text("{}")
    assert len(open_round(tmp_path).participants) == 4


def test_a_spoiled_seal_is_found_without_reading(attacked: Path) -> None:
    (attacked / "participants" / "p03.safetensors").unlink()
    (attacked / "participants" / "p04.safetensors").write_bytes(b"short")
    write_model(attacked / "participants" / "p99.safetensors", random_model(1))
    assert sorted(kinds(attacked)) == ["seal-broken", "seal-broken", "unlisted-file"]


EMPTY = {"layout": 1, "round": 1, "kind": "weights", "layers": [], "files": []}
FILE = {"path": "a", "bytes": 1, "sha256": "0" * 64}


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        json.dumps({**EMPTY, "layout": 2}),
        json.dumps({**EMPTY, "more": float("nan")}),
        json.dumps(EMPTY).replace('"round": 1', '"round": 2, "round": 1'),
        json.dumps({**EMPTY, "files": [FILE]}).replace('"bytes": 1', '"bytes": 2, "bytes": 1'),
        json.dumps({**EMPTY, "round": "1"}),
        json.dumps({**EMPTY, "kind": "both"}),
        json.dumps({**EMPTY, "layers": "abc"}),
        json.dumps({**EMPTY, "files": {}}),
        json.dumps({**EMPTY, "files": [{**FILE, "path": None}, {**FILE, "path": 5}]}),
        json.dumps({**EMPTY, "files": [{**FILE, "bytes": "1"}]}),
        json.dumps({**EMPTY, "files": [{**FILE, "sha256": "0" * 63 + "\n"}]}),
        json.dumps({**EMPTY, "files": [{**FILE, "path": "/etc/passwd"}]}),
        json.dumps({**EMPTY, "files": [{**FILE, "path": "a/../../b"}]}),
        json.dumps({**EMPTY, "files": [{**FILE, "path": "../../etc/passwd"}]}),
        json.dumps({**EMPTY, "files": [FILE, {**FILE, "sha256": "1" * 64}]}),
    ],
)
def test_a_manifest_that_is_none_is_a_finding(attacked: Path, manifest: str) -> None:
    (attacked / "manifest.json").write_text(manifest)
    assert kinds(attacked) == [FindingKind.SEAL_BROKEN, FindingKind.UNSEALED]


def test_a_manifest_larger_than_any_is_not_read(attacked: Path) -> None:
    os.truncate(attacked / "manifest.json", 2**27)
    assert kinds(attacked) == [FindingKind.SEAL_BROKEN, FindingKind.UNSEALED]
    assert "has 134,217,728 bytes" in open_round(attacked).findings[0].detail


@pytest.mark.parametrize("name", ["manifest.json", "truth.json", "run.json", "global.safetensors"])
def test_no_participant_can_take_a_name_of_ours(tmp_path: Path, name: str) -> None:
    write_flat_round(tmp_path / "flat", 3)
    write_model(tmp_path / "flat" / name, random_model(9))
    write_flat_round(tmp_path / "deep" / "participants", 3)
    write_model(tmp_path / "deep" / "participants" / name, random_model(9))
    for root in (tmp_path / "flat", tmp_path / "deep"):
        found = open_round(root)
        everybody = [*found.participants, *filter(None, [found.global_model])]
        assert len(everybody) == 4
    assert open_round(tmp_path / "deep").global_model is None


def test_of_two_global_models_none_is_believed(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 3)
    write_model(tmp_path / "global.safetensors", random_model(9))
    write_model(tmp_path / "global.h5", random_model(9), "hdf5")
    found = open_round(tmp_path)
    assert found.global_model is None
    assert [member.id for member in found.participants] == ["p0", "p1", "p2"]
    assert kinds(tmp_path) == [FindingKind.UNSEALED, FindingKind.SEVERAL_GLOBALS]
    assert found.findings[1].detail.startswith(
        "global.h5, global.safetensors are all named like the global "
    )
    # One that is named is believed, and the other is still nobody's update.
    named = open_round(tmp_path, global_path=tmp_path / "global.h5")
    assert named.global_model == Member("global", "global.h5")
    assert named.participants == found.participants
    assert named.findings == found.findings


def test_of_many_global_models_a_few_are_named(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 3)
    for index in range(8):
        (tmp_path / f"global.{index}").touch()
    (tmp_path / "global").mkdir()
    found = open_round(tmp_path)
    assert len(found.participants) == 3
    assert "global.0, global.1, global.2, global.3, global.4 and 3 more" in found.findings[1].detail


def test_a_global_model_elsewhere_is_not_one_of_several(tmp_path: Path) -> None:
    write_flat_round(tmp_path / "in", 3)
    write_model(tmp_path / "in" / "global.safetensors", random_model(9))
    write_model(tmp_path / "global.safetensors", random_model(8))
    found = open_round(tmp_path / "in", global_path=tmp_path / "global.safetensors")
    assert found.global_model == Member("global", "../global.safetensors")
    assert [finding.kind for finding in found.findings] == [FindingKind.UNSEALED]
    assert len(found.participants) == 3


def test_global_models_beside_a_file_for_the_whole_round_are_set_apart(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "all.h5", "w") as file:
        for name in ("global", "p0", "p1"):
            file[f"{name}/conv1.weight"] = random_model(0)["conv1.weight"]
    assert open_round(tmp_path).global_model == Member("global", "all.h5", "global")
    write_model(tmp_path / "global.safetensors", random_model(9))
    assert open_round(tmp_path).global_model == Member("global", "global.safetensors")
    write_model(tmp_path / "global.h5", random_model(9), "hdf5")
    found = open_round(tmp_path)
    assert found.global_model is None
    assert [member.id for member in found.participants] == ["p0", "p1"]


def test_a_file_called_participants_is_a_file(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 3)
    (tmp_path / "participants").write_text("text")
    ids = [member.id for member in open_round(tmp_path).participants]
    assert ids == ["p0", "p1", "p2", "participants"]


def test_what_else_lies_beside_the_folder_of_participants_does_not_matter(tmp_path: Path) -> None:
    write_flat_round(tmp_path / "participants", 4)
    for name in ("global.h5", "global.safetensors"):
        write_model(tmp_path / name, random_model(9), "hdf5")
    for name in ("README.md", "notes.txt", "log", ".DS_Store"):
        (tmp_path / name).write_text("text")
    ids = [member.id for member in open_round(tmp_path).participants]
    assert ids == ["p0", "p1", "p2", "p3"]


def test_a_participant_called_participants_is_one(tmp_path: Path) -> None:
    """It could otherwise be a hundred, and outvote the others."""
    write_flat_round(tmp_path, 3)
    write_flat_round(tmp_path / "participants", 100)
    ids = [member.id for member in open_round(tmp_path).participants]
    assert ids == ["p0", "p1", "p2", "participants"]


def test_members_come_in_their_order_and_refusals_are_findings(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 3)
    (tmp_path / "p1.safetensors").write_bytes(b"not a model")
    found = open_round(tmp_path)
    steps: list[tuple[str, int, int]] = []
    opened = found.open_members(found.participants[:2], lambda *step: steps.append(step))
    first, model = next(opened)
    # All are opened before: what one of them may take depends on the others.
    assert (first.id, steps) == ("p0", [("opening", 1, 2), ("opening", 2, 2)])
    assert not isinstance(model, Finding)
    assert set(model.tensors) == set(random_model(0))
    second, finding = next(opened)
    assert second.id == "p1"
    assert isinstance(finding, Finding)
    assert (finding.kind, finding.participant) == (FindingKind.REFUSED, "p1")
    assert list(opened) == []
    assert len(steps) == 2


@pytest.mark.parametrize(
    "error", [RefusedFileError("needs more memory than this machine has"), MemoryError]
)
def test_what_work_on_a_model_refuses_is_a_finding(
    tmp_path: Path, error: type[Exception] | Exception
) -> None:
    write_flat_round(tmp_path, 1)
    found = open_round(tmp_path)

    def work(_: Model) -> None:
        raise error

    (member,) = found.participants
    detail = "needs more memory than this machine has"
    assert found.use(member, work) == Finding(FindingKind.REFUSED, detail, "p0")


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_what_is_no_regular_file_is_not_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "p0.safetensors"
    match kind:
        case "link":
            write_model(tmp_path / "elsewhere", random_model(1))
            path.symlink_to(tmp_path / "elsewhere")
        case "pipe":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
    with pytest.raises(RefusedFileError, match=r"link|regular|folder"):
        open_model(path, ReadOptions())


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m"
    write_model(path, random_model(1))
    with pytest.raises(RefusedFileError, match="changed"), open_file(path, Limits()):
        os.utime(path, (1, 1))
    model = open_model(path, ReadOptions())
    os.utime(path, (2, 2))
    with pytest.raises(RefusedFileError, match="changed"):
        model.read("conv1.weight")
