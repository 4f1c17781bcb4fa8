"""The share of one participant in a round: no more names, time, memory or disk than is usual."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.base.errors import (
    InputError,
    OutputError,
    OverBudgetError,
    RefusedFileError,
    TooManyNamesError,
)
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.base.progress import no_progress
from ariba_cli.files.clock import Clock, check_time, no_turn
from ariba_cli.files.limits import Limits
from ariba_cli.formats import open_model
from ariba_cli.formats.model import Model, ReadOptions
from ariba_cli.reports.finding_words import findings_in_words
from ariba_cli.rounds.conversion import convert
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.fairness import open_fairly
from ariba_cli.rounds.inspection import inspect_round
from ariba_cli.rounds.members import Member
from tests.models import random_model, safetensors_bytes, write_flat_round, write_model

NAMES = ("p0", "p1", "p2", "p3", "p4")


def model_of(tensors: int) -> Model:
    return Model("x", (), dict.fromkeys(map(str, range(tensors)), None), ReadOptions())  # type: ignore[arg-type]


def opened(
    wants: Mapping[str, tuple[int, float]], limits: Limits
) -> tuple[dict[str, str | int], list[tuple[str, int, float]]]:
    """Open members that have so many tensors, and take so many seconds to list."""
    clock, asked = [0.0], []

    def open_with(member: Member, within: Limits) -> Model:
        asked.append((member.id, within.tensors, within.seconds))
        tensors, seconds = wants[member.id]
        clock[0] += min(seconds, within.seconds)
        if seconds > within.seconds:
            raise OverBudgetError("took longer")
        if tensors > within.tensors:
            raise TooManyNamesError(f"has {tensors:,} tensors")
        return model_of(tensors)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: clock[0])
        members = [Member(name, name) for name in wants]
        found = open_fairly(open_with, members, limits, no_progress)
    said = {
        name: len(one.tensors) if isinstance(one, Model) else str(one)
        for name, one in zip(wants, found, strict=True)
    }
    return said, asked


def test_nobody_takes_many_more_names_than_the_median_participant() -> None:
    said, asked = opened(dict.fromkeys(NAMES[1:], (8, 0.001)) | {"p0": (99_000, 0.5)}, Limits())
    assert said.pop("p0") == "has 99,000 tensors; half of the participants have at most 8"
    assert set(said.values()) == {8}
    assert len(asked) == 5


def test_a_round_of_large_models_has_the_names_that_it_needs() -> None:
    wants = dict.fromkeys(NAMES, (90_000, 0.5))
    assert set(opened(wants, Limits())[0].values()) == {90_000}
    # A network of 1,500 tensors beside which one has its optimiser's, and one has too many.
    wants = dict.fromkeys(NAMES, (1_500, 0.5)) | {"p1": (4_500, 0.5), "p2": (15_001, 0.5)}
    said, _ = opened(wants, Limits())
    assert said["p1"] == 4_500
    assert said["p2"] == "has 15,001 tensors; half of the participants have at most 1,500"


def test_nobody_takes_much_more_time_than_the_median_participant() -> None:
    said, asked = opened(dict.fromkeys(NAMES[1:], (8, 0.001)) | {"p0": (8, 1e9)}, Limits())
    assert said["p0"] == "took longer"
    assert [seconds for name, _, seconds in asked if name == "p0"] == [3.0, 6.0]
    # Where half of them are slow, the files are.
    said, asked = opened(dict.fromkeys(NAMES, (8, 50.0)) | {"p0": (8, 1e9)}, Limits())
    assert said == dict.fromkeys(NAMES, 8) | {"p0": "took longer"}
    assert max(seconds for *_, seconds in asked) == 60.0


@pytest.mark.parametrize("slow", [1, 5])
def test_a_timeout_that_is_short_is_all_that_there_is(slow: int) -> None:
    wants = dict.fromkeys(NAMES, (8, 0.001)) | dict.fromkeys(NAMES[:slow], (8, 1e9))
    _, asked = opened(wants, Limits(seconds=0.5))
    assert {seconds for *_, seconds in asked} == {0.5}


@pytest.mark.parametrize("suffix", [".safetensors", ".h5", ".npz"])
def test_a_few_times_the_usual_names_are_read(tmp_path: Path, suffix: str) -> None:
    """Also of whom is opened last, and whose file is still open to a process with few names."""
    for name, count in (*dict.fromkeys(NAMES[:-1], 220).items(), (NAMES[-1], 2_050)):
        model = {f"x{index}": np.zeros(1, np.float32) for index in range(count)}
        if suffix == ".npz":
            np.savez(tmp_path / f"{name}.npz", **model)  # type: ignore[arg-type]
        else:
            write_model(
                tmp_path / f"{name}{suffix}", model, "hdf5" if suffix == ".h5" else "safetensors"
            )
    round_ = open_round(tmp_path)
    found = [one for _, one in round_.open_members(round_.participants, no_progress)]
    counts = [len(one.tensors) for one in found if isinstance(one, Model)]
    assert counts == [220, 220, 220, 220, 2_050]


def test_many_names_are_a_finding_of_one_participant(tmp_path: Path) -> None:
    for format_name, suffix in (("safetensors", ".safetensors"), ("hdf5", ".h5")):
        root = write_flat_round(tmp_path / format_name)
        (root / "p3.safetensors").unlink()
        many = {f"x{index}": np.zeros(1, np.float32) for index in range(2_100)}
        write_model(root / f"p3{suffix}", random_model(3) | many, format_name)
        verdict = audit(open_round(root), AuditSettings(layers=("conv2",)))
        (refused,) = [one for one in verdict.findings if one.kind == FindingKind.REFUSED]
        assert refused.participant == "p3"
        assert "more than 2,000; half of the participants have at most 3" in refused.detail
        assert len(verdict.ranking) == 5
        # It is a sound model, of which a round may well be.
        assert len(open_model(root / f"p3{suffix}", ReadOptions()).tensors) == 2_103


def test_a_file_has_one_turn_in_all_formats(tmp_path: Path) -> None:
    terms = ReadOptions(Limits(seconds=1e-9))
    for format_name, suffix in (("safetensors", ".safetensors"), ("hdf5", ".h5")):
        write_model(tmp_path / f"m{suffix}", random_model(1), format_name)
        with pytest.raises(RefusedFileError, match="took longer than 1e-09 s to parse"):
            open_model(tmp_path / f"m{suffix}", terms)
    np.savez(tmp_path / "m.npz", w=np.ones(3))
    with pytest.raises(RefusedFileError, match="took longer"):
        open_model(tmp_path / "m.npz", terms)


def test_a_clock_adds_up_the_turns_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    now, clock = [100.0], Clock()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for _ in range(3):
        with clock.turn("file", 10):
            now[0] += 3
            check_time()
            with no_turn():
                now[0] += 1000
            # A turn within a turn is not another one.
            with clock.turn("another", 1):
                check_time()
    with clock.turn("file", 10):
        check_time()
        now[0] += 2
        with pytest.raises(OverBudgetError, match="took longer than 10 s"):
            check_time()
    with clock.turn("another", 1):
        check_time()
    check_time()


def lora_round(root: Path, ranks: Mapping[str, int], shape: tuple[int, int] = (64, 96)) -> Path:
    rng = np.random.default_rng(0)
    for name, rank in ranks.items():
        folder = root / "participants" / name
        folder.mkdir(parents=True)
        factors = {
            "base_model.model.fc.lora_A.weight": rng.normal(size=(rank, shape[1])),
            "base_model.model.fc.lora_B.weight": rng.normal(size=(shape[0], rank)),
        }
        floats = {key: value.astype(np.float32) for key, value in factors.items()}
        write_model(folder / "adapter_model.safetensors", floats)
        config = {"peft_type": "LORA", "r": rank, "lora_alpha": rank}
        (folder / "adapter_config.json").write_text(json.dumps(config))
    return root


def refusals(root: Path, memory: int | None = None) -> dict[str | None, str]:
    settings = AuditSettings(layers=("fc",), max_memory=memory)
    findings = audit(open_round(root), settings).findings
    return {one.participant: one.detail for one in findings if one.kind == FindingKind.REFUSED}


def test_factors_of_a_rank_that_no_layer_has_are_refused(tmp_path: Path) -> None:
    ranks = dict.fromkeys(NAMES, 4) | {"p5": 1_025}
    found = refusals(lora_round(tmp_path, ranks))
    assert list(found) == ["p5"]
    assert "factors of rank 1,025" in found["p5"]


def test_a_usual_rank_may_be_more_than_a_small_layer_has(tmp_path: Path) -> None:
    assert not refusals(lora_round(tmp_path, dict.fromkeys(NAMES, 16), shape=(2, 96)))


def test_a_hole_in_a_file_is_no_factor(tmp_path: Path) -> None:
    """8 kB on disk would else take all memory."""
    root = lora_round(tmp_path, dict.fromkeys(NAMES, 4) | {"p5": 1})
    out, rank = 2**16, 2**15
    header = {
        "base_model.model.fc.lora_A.weight": (rank, out, 0),
        "base_model.model.fc.lora_B.weight": (out, rank, 4 * rank * out),
    }
    entries = {
        name: {
            "dtype": "F32",
            "shape": [rows, columns],
            "data_offsets": [first, first + 4 * rows * columns],
        }
        for name, (rows, columns, first) in header.items()
    }
    path = root / "participants" / "p5" / "adapter_model.safetensors"
    path.write_bytes(safetensors_bytes(entries))
    os.truncate(path, path.stat().st_size + 8 * rank * out)
    found = refusals(root)
    assert list(found) == ["p5"]
    assert "that take 34,359,738,368 bytes, more than" in found["p5"]
    refused = [one for one in inspect_round(open_round(root)).findings if one.participant == "p5"]
    assert [one.kind for one in refused] == [FindingKind.REFUSED]


def test_factors_count_against_the_memory_that_may_be_used(tmp_path: Path) -> None:
    root = lora_round(tmp_path, dict.fromkeys(NAMES, 16) | {"p5": 272}, shape=(32, 2016))
    assert not refusals(root)
    usual = 16 * (32 + 2016) * 8
    found = refusals(root, memory=10 * usual)
    assert list(found) == ["p5"]
    assert f"take {17 * usual:,} bytes" in found["p5"]
    assert f"half of the participants at most {usual:,}" in found["p5"]
    with pytest.raises(InputError, match="more than --max-memory; allow more"):
        refusals(root, memory=4 * usual)


def with_extra(path: Path, values: int) -> None:
    """Add a tensor to a model that is a hole in its file."""
    model = random_model(0)
    entries, first = {}, 0
    for name, tensor in model.items():
        entries[name] = {
            "dtype": "F32",
            "shape": tensor.shape,
            "data_offsets": [first, first + tensor.nbytes],
        }
        first += tensor.nbytes
    entries["extra"] = {
        "dtype": "F32",
        "shape": [values],
        "data_offsets": [first, first + 4 * values],
    }
    path.write_bytes(safetensors_bytes(entries, b"".join(map(bytes, model.values()))))
    os.truncate(path, path.stat().st_size + 4 * values)


def packed(path: Path, values: int) -> None:
    """Write the same, packed, or with values that were never written."""
    tensors: dict[str, Any] = random_model(0)
    if path.suffix == ".npz":
        np.savez_compressed(path, **tensors, extra=np.zeros(values, np.float32))
        return
    import h5py

    with h5py.File(path, "w") as file:
        for name, tensor in tensors.items():
            file[name] = tensor
        file.create_dataset("extra", (values,), np.float32, chunks=(2**16,), compression=1)


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".h5"])
def test_what_is_large_of_nothing_is_a_finding_and_not_filled_out(
    tmp_path: Path, suffix: str
) -> None:
    root = write_flat_round(tmp_path / "round")
    (root / "p3.safetensors").unlink()
    values = 2**24
    (with_extra if suffix == ".safetensors" else packed)(root / f"p3{suffix}", values)
    verdict = audit(open_round(root), AuditSettings(layers=("conv2",)))
    (found,) = [one for one in verdict.findings if one.kind == FindingKind.OUTSIZE]
    assert found.participant == "p3"
    assert int(str(found.facts["bytes"])) >= 4 * values
    # It is ranked all the same.
    assert len(verdict.ranking) == 6
    assert found in inspect_round(open_round(root)).findings
    done = convert(open_round(root), tmp_path / "out")
    (refused,) = done.refused
    assert refused.participant == "p3"
    assert "; it has only " in refused.detail
    assert sum(path.stat().st_blocks for path in (tmp_path / "out").rglob("*")) * 512 < 2**20


def test_what_is_large_and_all_there_is_converted(tmp_path: Path) -> None:
    root = write_flat_round(tmp_path / "round")
    extra = np.random.default_rng(0).standard_normal(2**19).astype(np.float32)
    write_model(root / "p3.safetensors", random_model(3) | {"extra": extra})
    kinds = [one.kind for one in audit(open_round(root), AuditSettings(layers=("conv2",))).findings]
    assert kinds.count(FindingKind.OUTSIZE) == 1
    assert not convert(open_round(root), tmp_path / "out").refused


def test_the_states_of_an_optimiser_are_not_outsize(tmp_path: Path) -> None:
    root = write_flat_round(tmp_path / "round")
    large = {"w": np.ones(2**17), "m": np.ones(2**17), "v": np.ones(2**17)}
    for index in range(6):
        write_model(root / f"p{index}.safetensors", {"w": np.ones(2**17, np.float32) * index})
    write_model(root / "p3.safetensors", large)
    findings = inspect_round(open_round(root)).findings
    assert FindingKind.OUTSIZE not in {one.kind for one in findings}


def test_there_must_be_room_for_a_conversion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_flat_round(tmp_path / "round")
    full = SimpleNamespace(f_bavail=2, f_frsize=512)
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    with pytest.raises(OutputError, match="has 1,024 bytes free, and"):
        convert(open_round(root), tmp_path / "out")
    assert [one.name for one in tmp_path.iterdir()] == ["round"]


def test_a_great_many_findings_are_told_in_a_few_lines() -> None:
    findings = [
        Finding(FindingKind.REFUSED, str(index), "p0", facts={"n": index})
        for index in range(200_000)
    ]
    lines = findings_in_words(findings)
    assert len(lines) == 1_001
    assert lines[-1] == "and 199,000 more findings; -f json lists them"
    assert len(findings_in_words(findings[:1_000])) == 1_000
    # Facts count: a set of them would else take hours.
    assert len({hash(one) for one in findings}) > 190_000
