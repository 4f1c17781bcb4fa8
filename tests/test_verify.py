"""A round is verified against its report: any bit of it that has changed is found."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec.structs
import numpy as np
import pytest

from ariba_cli.base.errors import InputError
from ariba_cli.cli.verify import notes
from ariba_cli.detectors import make_detector, make_detectors
from ariba_cli.detectors.declaration import Detector
from ariba_cli.formats.model import ReadOptions
from ariba_cli.replay import verify as verifying
from ariba_cli.replay.report_differences import ReportDifferences
from ariba_cli.replay.verify import Verification, open_reported_round, verify
from ariba_cli.reports.report import Report, parse_report
from ariba_cli.scoring.devices import AUTO
from tests.conftest import FIXTURES, Ariba
from tests.models import random_model, write_flat_round, write_model
from tests.reports import Json, Spoil, hashed_again, report_bytes, spoiled
from tests.test_cli_imports import HEAVY, imported
from tests.test_reports_text import harmless

ATTACKED = FIXTURES / "attacked"
# All that need neither the global model nor the output layer.
UPDATES = ("foolsgold", "cosine", "spectral", "krum", "multi-krum", "median-distance")
IDS = [f"p{index:02}" for index in range(20)]


@pytest.fixture(scope="module")
def data() -> bytes:
    return report_bytes(ATTACKED, layers=("conv2",))


@pytest.fixture
def path(tmp_path: Path, data: bytes) -> Path:
    (tmp_path / "report.json").write_bytes(data)
    return tmp_path / "report.json"


def verified(report: Report, root: Path, **settings: Any) -> Verification:
    return verify(report, open_reported_round(root, report.verdict, ReadOptions()), **settings)


def flip(path: Path, place: int) -> None:
    """Change one bit of the byte there; from the end when it is negative."""
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"layers": ("conv2",)},
        {"layers": ("all",), "truth": True},
        {"layers": ("fc*", "conv1"), "fragment": "block:7"},
        {"layers": ("conv2",), "fragment": "filter", "verify_seal": True},
        {"evidence": True},
        {"excluded": ("p03", "p15")},
        {"detectors": make_detectors(("krum",), {"f": 2}), "truth": True},
        {"detectors": make_detectors(("mahalanobis", "norm", "last-bias", "bulyan"))},
        {"detectors": make_detectors(UPDATES), "excluded": ("p18",), "layers": ("fc*",)},
    ],
)
def test_an_unchanged_round_is_the_same(settings: dict[str, Any]) -> None:
    report = parse_report(report_bytes(ATTACKED, **settings))
    known = report.verdict.truth.compromised if report.verdict.truth else None
    done = verified(report, ATTACKED, compromised=known)
    assert not done.differences
    assert (done.whole_files, done.analysed_only) == (21, 0)


@pytest.mark.parametrize(
    "asked",
    [
        ["--exclude", "p03", "--exclude", "p15"],
        ["--detector", "krum", "--detector-arg", "f=2"],
        ["--detector", "norm", "--detector", "mahalanobis", "--truth"],
        ["--detector", "pyod:HBOS", "--detector-arg", "n_bins=7", "--fit-sample", "500"],
    ],
)
def test_what_was_asked_for_is_asked_for_again(
    ariba: Ariba, tmp_path: Path, asked: list[str]
) -> None:
    command = ["audit", ATTACKED, "--layer", "conv2", *asked, "-f", "json", "-o", "report.json"]
    assert ariba(*command).returncode == 0
    done = ariba("verify", "report.json", ATTACKED)
    result = json.loads((tmp_path / "report.json").read_bytes())
    assert (done.returncode, done.stdout) == (0, b""), done.stdout
    assert f"the same: result_sha256 {result['result_sha256']}" in done.stderr.decode()


def test_arrays_are_called_again_what_they_were_called(ariba: Ariba, tmp_path: Path) -> None:
    for index in range(5):
        (tmp_path / "round").mkdir(exist_ok=True)
        with (tmp_path / "round" / f"p{index}.npz").open("wb") as file:
            np.savez(file, *random_model(index).values())
    (tmp_path / "names.txt").write_text("one.weight\ntwo.weight\nthree.weight\n")
    (tmp_path / "others.txt").write_text("one.weight\nthree.weight\ntwo.weight\n")
    audit = ["audit", "round", "--layer", "two", "--names", "names.txt", "-f", "json"]
    assert ariba(*audit, "-o", "report.json").returncode == 0
    assert ariba("verify", "report.json", "round").returncode == 0
    done = ariba("verify", "report.json", "round", "--names", "others.txt")
    assert done.returncode == 1
    assert "p0: other bytes of p0.npz were analysed" in done.stdout.decode()


def test_the_command_says_so(ariba: Ariba, path: Path, attacked: Path) -> None:
    done = ariba("verify", path, attacked)
    sha256 = json.loads(path.read_bytes())["result_sha256"]
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.decode() == f"the same: result_sha256 {sha256}; 21 whole files\n"
    assert ariba("verify", path, attacked, "-q").stderr == b""


def test_how_it_is_run_changes_nothing(ariba: Ariba, path: Path, attacked: Path) -> None:
    moved = attacked.rename(attacked.parent / "moved")
    (moved / "participants").rename(moved / "other")
    shutil.copytree(moved / "other", moved / "participants", copy_function=shutil.copy)
    shutil.rmtree(moved / "other")
    assert ariba("verify", path, moved, "--max-memory", "1MiB").returncode == 0


@pytest.mark.parametrize("name", [*(f"participants/{name}" for name in IDS), "global"])
def test_one_bit_of_any_input_is_found(attacked: Path, data: bytes, name: str) -> None:
    report = parse_report(data)
    file = attacked / f"{name}.safetensors"
    # In the length of the header, in a layer that was not examined, and in the last value.
    places = (0, -1) if name in ("participants/p03", "global") else (IDS.index(name[-3:]) * 1000,)
    for place in places:
        flip(file, place)
        done = verified(report, attacked)
        path = file.relative_to(attacked).as_posix()
        assert f"{file.stem}: {path} has other bytes (sha256 " in done.differences.inputs[0]
        flip(file, place)
    assert not verified(report, attacked).differences


def test_the_command_lists_what_differs(ariba: Ariba, path: Path, attacked: Path) -> None:
    flip(attacked / "participants" / "p03.safetensors", 0)
    done = ariba("verify", path, attacked)
    lines = done.stdout.decode().splitlines()
    assert (done.returncode, done.stderr) == (1, b"")
    assert lines[0].startswith("p03: participants/p03.safetensors has other bytes (sha256 470")
    assert lines[1] == "p03: was ok, is refused"
    places = [line for line in lines if ": rank " in line]
    assert lines[2 : 2 + len(places)] == places
    assert "p03: rank 16 with score 73 and share 0.142578 now not ranked" in places
    assert any(line.startswith("new finding: refused: p03: ") for line in lines)
    assert "conv2.weight.participants: 20 now 19" in lines


def test_many_differences_are_counted(ariba: Ariba, tmp_path: Path, path: Path) -> None:
    round_ = write_flat_round(tmp_path / "flat", 60)
    (tmp_path / "flat.json").write_bytes(report_bytes(round_))
    for index in range(60):
        write_model(round_ / f"p{index}.safetensors", random_model(100 + index))
    lines = ariba("verify", "flat.json", round_).stdout.decode().splitlines()
    assert "and 40 more inputs" in lines
    assert len(lines) < 70
    assert path.exists()


def test_a_file_that_is_no_longer_a_file_differs(attacked: Path, data: bytes) -> None:
    file = attacked / "participants" / "p03.safetensors"
    file.rename(attacked.parent / "elsewhere")
    file.symlink_to(attacked.parent / "elsewhere")
    inputs = verified(parse_report(data), attacked).differences.inputs
    assert inputs[0].startswith(
        "p03: participants/p03.safetensors is not what was audited: it is a link, which"
    )


@pytest.mark.parametrize("what", ["participants/p03.safetensors", "global.safetensors", "."])
def test_without_an_input_it_cannot_be_told(
    ariba: Ariba, path: Path, attacked: Path, what: str
) -> None:
    if what == ".":
        shutil.rmtree(attacked)
    else:
        (attacked / what).unlink()
    done = ariba("verify", path, attacked)
    error = done.stderr.decode()
    assert (done.returncode, done.stdout) == (2, b"")
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert (what if what != "." else "there is no directory") in error


def test_a_participant_who_was_not_there_differs(attacked: Path, data: bytes) -> None:
    folder = attacked / "participants"
    shutil.copy(folder / "p03.safetensors", folder / "p99.safetensors")
    found = verified(parse_report(data), attacked).differences
    assert found.inputs == (
        "p99: participants/p99.safetensors is in the round, but not in the report",
    )
    assert any("p99.safetensors is not in manifest.json" in line for line in found.rest)


def test_a_seal_that_changed_differs(attacked: Path, data: bytes) -> None:
    manifest = attacked / "manifest.json"
    content = json.loads(manifest.read_text())
    for entry in content["files"]:
        if entry["path"] == "participants/p07.safetensors":
            entry["sha256"] = "0" * 64
    manifest.write_text(json.dumps(content))
    found = verified(parse_report(data), attacked).differences
    assert found.inputs[0].startswith(f"p07: the seal says {'0' * 64} of participants/p07.safe")
    manifest.write_text("garbage")
    found = verified(parse_report(data), attacked).differences
    assert len(found.inputs) == 21
    assert any(line.startswith("new finding: unsealed: ") for line in found.rest)


def test_another_truth_differs(attacked: Path) -> None:
    report = parse_report(report_bytes(attacked, truth=True, layers=("conv2",)))
    found = verified(report, attacked, compromised=("p15", "p01")).differences
    assert found.inputs == found.ranking == ()
    assert "truth.detectors.mahalanobis.p_m: 1.0 now 0.5" in found.rest


def test_of_a_round_without_a_seal_only_what_was_analysed_is_compared(
    ariba: Ariba, tmp_path: Path
) -> None:
    round_ = write_flat_round(tmp_path / "flat", 6)
    report = report_bytes(round_, layers=("conv2",))
    (tmp_path / "report.json").write_bytes(report)
    done = ariba("verify", "report.json", round_)
    assert done.returncode == 0
    assert b"for 6 inputs the report lacks the hash of the whole file" in done.stderr
    # The linear layer comes last, and nobody looked at it.
    flip(round_ / "p3.safetensors", -1)
    assert not verified(parse_report(report), round_).differences
    model = random_model(3)
    model["conv2.weight"][0, 0] += 0.001
    write_model(round_ / "p3.safetensors", model)
    found = verified(parse_report(report), round_).differences
    assert found.inputs[0].startswith("p3: other bytes of p3.safetensors were analysed (sha256 ")


def test_a_round_that_can_no_longer_be_audited_differs(ariba: Ariba, tmp_path: Path) -> None:
    round_ = write_flat_round(tmp_path / "flat", 3)
    (tmp_path / "report.json").write_bytes(report_bytes(round_))
    flip(round_ / "p1.safetensors", 0)
    done = ariba("verify", "report.json", round_)
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 1
    assert lines[0].startswith("p1: p1.safetensors is not what was audited: it ")
    assert lines[1].startswith("the audit cannot be repeated: 2 of 3 updates can be scored")


@pytest.mark.parametrize("given", [False, True])
def test_a_global_model_outside_the_round_has_to_be_named(
    ariba: Ariba, tmp_path: Path, given: bool
) -> None:
    round_ = write_flat_round(tmp_path / "flat", 4)
    write_model(tmp_path / "sent.safetensors", random_model(9))
    command = ["audit", round_, "--global", "sent.safetensors", "-f", "json", "-o", "report.json"]
    assert ariba(*command).returncode == 0
    done = ariba("verify", "report.json", round_, *command[2 : 4 if given else 2])
    assert done.returncode == (0 if given else 2)
    if not given:
        assert b"'../sent.safetensors', is outside the round; name it with --global" in done.stderr


def test_a_global_model_of_any_name_is_found_in_the_round(ariba: Ariba, tmp_path: Path) -> None:
    round_ = write_flat_round(tmp_path / "flat", 5)
    sent = round_ / "p4.safetensors"
    done = ariba("audit", round_, "--global", sent, "-f", "json", "-o", "report.json")
    assert done.returncode == 0
    assert ariba("verify", "report.json", round_).returncode == 0


def test_a_report_of_another_schema_is_refused(ariba: Ariba, path: Path, data: bytes) -> None:
    path.write_bytes(spoiled(data, dict, version="1.2.0"))
    done = ariba("verify", path, ATTACKED)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"has schema version 1.2.0, but this version of ariba reads 2.0.0" in done.stderr


def test_a_report_in_its_round_is_no_participant(ariba: Ariba, tmp_path: Path) -> None:
    round_ = write_flat_round(tmp_path / "flat", 4)
    report = report_bytes(round_)
    (round_ / "report.json").write_bytes(report)
    assert ariba("verify", "flat/report.json", round_).returncode == 0


def set_version(result: Json) -> None:
    """Somebody else's coverage: no input and no place in the ranking has to do with it."""
    result["coverage"]["layers_total"] += 1


def test_what_is_in_the_report_alone_differs(data: bytes) -> None:
    found = verified(parse_report(spoiled(data, set_version)), ATTACKED).differences
    assert found.inputs == found.ranking == ()
    assert found.rest == ("coverage.layers_total: 9 now 8",)


def test_another_wording_is_no_difference(data: bytes) -> None:
    content = json.loads(data)
    content["words"]["headline"] = "Somebody is named."
    content["words"]["coverage"] = "A part of the model was examined."
    done = verified(parse_report(hashed_again(content)), ATTACKED)
    assert not done.differences


def less_by_another(result: Json) -> None:
    """The last participant has an even lower score, by a detector that does not decide."""
    result["detectors"][1]["scores"][-1]["score"] /= 2


def other_details(result: Json) -> None:
    result["detectors"][0]["scores"][-1]["details"] = {"more": 1}


@pytest.mark.parametrize(
    ("spoil", "ranking", "rest"),
    [
        (less_by_another, (), ("norm: 1 participants have other scores",)),
        (other_details, ("other scores in single layers, or other details",), ()),
    ],
)
def test_what_a_detector_said_alone_differs(
    spoil: Spoil, ranking: tuple[str, ...], rest: tuple[str, ...]
) -> None:
    detectors = make_detectors(("krum", "norm"))
    report = spoiled(report_bytes(ATTACKED, detectors=detectors), spoil)
    found = verified(parse_report(report), ATTACKED).differences
    assert found.inputs == ()
    assert tuple(line.partition(": ")[2] for line in found.ranking) == ranking
    assert found.rest == rest


def test_scores_of_whole_updates_are_shown_without_a_share(attacked: Path) -> None:
    report = parse_report(report_bytes(attacked, detectors=make_detectors(("norm",))))
    folder = attacked / "participants"
    shutil.copy(folder / "p15.safetensors", folder / "p03.safetensors")
    found = verified(report, attacked).differences
    assert found.inputs[0].startswith("p03: participants/p03.safetensors has other bytes")
    (line,) = (line for line in found.ranking if line.startswith("p03: "))
    assert "share" not in line
    assert line.partition(" now ")[2].startswith("rank 1 with score ")


def test_a_detector_is_run_with_what_it_was_given(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []

    def make(name: str, *others: object) -> Detector:
        given.extend([name, *others])
        return make_detector("mahalanobis")

    def by_pyod(result: Json) -> None:
        result["method"]["requested"]["detectors"] = [
            {
                "name": "pyod:HBOS",
                "arguments": {"n_bins": 7, "alpha": 0.25},
                "fit_sample": 100,
            }
        ]

    monkeypatch.setattr(verifying, "make_detector", make)
    verified(parse_report(spoiled(data, by_pyod)), ATTACKED)
    assert given == ["pyod:HBOS", {"n_bins": 7, "alpha": 0.25}, 100, AUTO, None]
    assert [type(one) for one in given[1].values()] == [int, float]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("detector", "numpy", "why"),
    [
        (
            "pyod:HBOS",
            "1.0.0",
            "their versions or the machine may be the reason (numpy 1.0.0 now 2",
        ),
        ("pyod:HBOS", "2.0.0", "may be the reason, though their versions are the same"),
        ("mahalanobis", "1.0.0", "other versions made the report: numpy 1.0.0 now 2.0.0"),
        ("mahalanobis", "2.0.0", ""),
    ],
)
def test_why_scores_alone_may_differ(data: bytes, detector: str, numpy: str, why: str) -> None:
    report = parse_report(data)
    (own,) = report.verdict.detectors
    verdict = msgspec.structs.replace(
        report.verdict,
        decision=msgspec.structs.replace(report.verdict.decision, detector=detector),
        detectors=(
            msgspec.structs.replace(
                own, name=detector, same_on_every_machine=detector == "mahalanobis"
            ),
        ),
    )
    made = replace(report, verdict=verdict, run=replace(report.run, libraries={"numpy": numpy}))
    done = Verification(ReportDifferences((), ("p03: rank 1 now rank 2",), ()), 21, 0)
    assert why in " ".join(notes(made, done, report.run))
    done = Verification(ReportDifferences(("p03: other bytes",), (), ()), 21, 0)
    assert not list(notes(made, done, report.run))


def test_no_name_reaches_the_terminal_as_it_is(ariba: Ariba, tmp_path: Path) -> None:
    round_ = write_flat_round(tmp_path / "flat", 4)
    for name in ("\x1b[2J\x1b]0;x\x07", "[red]", "a\nb"):
        write_model(round_ / f"{name}.safetensors", random_model(len(name)))
    os.rename(os.fsencode(round_ / "p1.safetensors"), os.fsencode(round_) + b"/\xff.safetensors")
    (tmp_path / "report.json").write_bytes(report_bytes(round_))
    assert ariba("verify", "report.json", round_).returncode == 0
    for index, file in enumerate(sorted(round_.iterdir())):
        write_model(file, random_model(50 + index))
    done = ariba("verify", "report.json", round_)
    assert done.returncode == 1
    assert harmless(done.stdout.decode())
    assert r"\x1b[2J\x1b]0;x\x07: other bytes of \x1b[2J" in done.stdout.decode()
    (round_ / "[red].safetensors").unlink()
    done = ariba("verify", "report.json", round_)
    assert done.returncode == 2
    assert harmless(done.stderr.decode())


@pytest.mark.parametrize("sealed", [True, False])
def test_an_input_that_may_not_be_read_is_no_difference(
    attacked: Path, monkeypatch: pytest.MonkeyPatch, sealed: bool
) -> None:
    if not sealed:
        (attacked / "manifest.json").unlink()
    opened = os.open

    def refuse(path: Any, *arguments: Any) -> int:
        if str(path).endswith("p03.safetensors"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments)

    report = parse_report(report_bytes(attacked))
    round_ = open_reported_round(attacked, report.verdict, ReadOptions())
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(InputError, match=r"p03.safetensors cannot be opened: Permission denied"):
        verify(report, round_)


def test_nothing_heavy_is_imported(path: Path) -> None:
    assert not imported("verify", path, ATTACKED) & (HEAVY | {"h5py", "rich"})
