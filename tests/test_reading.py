"""The values of a layer, held in memory or left in their files: the same report, read as often."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.base.aligned import aligned
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.base.parallel import map_workers
from ariba_cli.cli.audit import parse_bytes
from ariba_cli.files.opening import OpenFile
from ariba_cli.formats import safetensors
from ariba_cli.reports.audit_json import audit_result
from ariba_cli.rounds.directory import open_round
from ariba_cli.verdicts.verdict import Verdict
from tests.conftest import FIXTURES, Ariba
from tests.models import write_flat_round, write_model

IN_FILES = 1


def run(root: Path, max_memory: int | None, fragment: str | None = None) -> Verdict:
    settings = AuditSettings(layers=("conv2",), fragment=fragment, max_memory=max_memory)
    return audit(open_round(root), settings)


def spoil(root: Path, who: str, value: float, *, last: bool = False) -> None:
    path = root / "participants" / f"{who}.safetensors"
    model = load_file(path)
    model["conv2.weight"].reshape(-1)[-1 if last else 100] = value
    write_model(path, model)


@pytest.mark.parametrize("fragment", [None, "filter", "block:11"])
@pytest.mark.parametrize("fixture", ["attacked", "clean"])
def test_values_that_stay_in_their_files_give_the_same_report(
    fixture: str, fragment: str | None
) -> None:
    expected = audit_result(run(FIXTURES / fixture, None, fragment))
    assert audit_result(run(FIXTURES / fixture, IN_FILES, fragment)) == expected


@pytest.mark.parametrize("fragment", [None, "block:11"])
def test_whoever_cannot_be_used_is_found_while_it_is_read(
    attacked: Path, fragment: str | None
) -> None:
    """Also beyond what fills a fragment, and of several all."""
    spoil(attacked, "p03", np.nan)
    spoil(attacked, "p07", np.inf, last=True)
    spoil(attacked, "p15", -np.inf, last=True)
    expected = run(attacked, None, fragment)
    assert [one.participant for one in expected.findings if one.kind == "nonfinite"] == [
        "p03",
        "p07",
        "p15",
    ]
    assert audit_result(run(attacked, IN_FILES, fragment)) == audit_result(expected)


def test_a_file_that_changes_while_it_is_scored_is_refused(
    attacked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = attacked / "participants" / "p04.safetensors"
    read = OpenFile.read_into
    reads = 0

    def changing(file: OpenFile, buffer: memoryview, offset: int) -> None:
        nonlocal reads
        read(file, buffer, offset)
        if file.path == path:
            reads += 1
            if reads == 4:
                path.write_bytes(path.read_bytes())

    monkeypatch.setattr(OpenFile, "read_into", changing)
    verdict = run(attacked, IN_FILES)
    (finding,) = [one for one in verdict.findings if one.participant == "p04"]
    assert (finding.kind, finding.detail) == ("refused", "changed while it was read")
    assert "p04" not in {ranked.id for ranked in verdict.ranking}


def test_what_is_held_is_read_once_and_what_is_not_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for a sample, and for the headers."""
    size, many = 4 * 64 * 64 * 9, 6
    for index in range(many):
        values = np.random.default_rng(index).standard_normal((64, 64, 3, 3)).astype(np.float32)
        write_model(tmp_path / f"p{index}.safetensors", {"conv2.weight": values})
    read = OpenFile.read_into
    total = 0

    def counted(file: OpenFile, buffer: memoryview, offset: int) -> None:
        nonlocal total
        total += len(buffer) if offset else 0
        read(file, buffer, offset)

    monkeypatch.setattr(OpenFile, "read_into", counted)
    run(tmp_path, None)
    held, total = total, 0
    run(tmp_path, IN_FILES)
    assert size * many <= held <= 1.05 * size * many
    assert 2 * size * many <= total <= 2.3 * size * many


def test_what_is_packed_has_to_fit(tmp_path: Path) -> None:
    write_flat_round(tmp_path, 5)
    names = ["conv1.weight", "conv2.weight", "fc.weight"]
    model = load_file(tmp_path / "p4.safetensors")
    with zipfile.ZipFile(tmp_path / "p5.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            with archive.open(f"{name}.npy", "w") as stream:
                np.save(stream, model[name])
    assert len(run(tmp_path, None).ranking) == 6
    with pytest.raises(
        InputError, match=r"more than --max-memory, and p5 stores it packed; convert"
    ):
        run(tmp_path, IN_FILES)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_types_are_widened_wherever_they_are(tmp_path: Path, dtype: type) -> None:
    for index in range(5):
        values = np.random.default_rng(index).standard_normal((40, 4, 3, 3))
        kind = np.float32 if index == 4 else dtype
        encoded = safetensors.encode({"conv2.weight": values.astype(kind)})
        (tmp_path / f"p{index}.safetensors").write_bytes(encoded)
    assert audit_result(run(tmp_path, IN_FILES)) == audit_result(run(tmp_path, None))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1048576", 2**20),
        ("512MB", 512_000_000),
        ("512 mb", 512_000_000),
        ("1.5GiB", 3 * 2**29),
        ("4096KiB", 2**22),
        ("1000GB", 10**12),
        ("2TB", 2 * 10**12),
    ],
)
def test_sizes_have_units(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1MB", "12XB", "1e9", "MB", "1.MB", "0", "1023KiB"])
def test_what_is_no_size_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match=r"number with a unit|at least"):
        parse_bytes(text)


def test_memory_and_device_are_options(ariba: Ariba) -> None:
    done = ariba("audit", FIXTURES / "attacked", "--max-memory", "1MiB", "--device", "cpu")
    assert done.returncode == 0
    assert done.stdout == ariba("audit", FIXTURES / "attacked").stdout
    done = ariba("audit", FIXTURES / "attacked", "--device", "tpu")
    assert done.returncode == 2
    assert done.stderr == b"error: unknown device 'tpu'; use auto, cpu, cuda or cuda:N\n"
    done = ariba("audit", FIXTURES / "attacked", "--device", "cuda", "--detector", "pyod:ECOD")
    assert done.stderr == b"error: pyod:ECOD does not take --device; only mahalanobis does\n"


def test_every_item_goes_to_one_worker() -> None:
    def take(items: Iterator[int]) -> list[int]:
        return list(items)

    shares = map_workers(take, range(1000), workers=4)
    assert len(shares) == 4
    assert sorted(item for share in shares for item in share) == list(range(1000))


@pytest.mark.parametrize("columns", [1, 7, 16, 1000])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_rows_are_aligned(columns: int, dtype: type) -> None:
    rows = aligned(3, columns, dtype)
    assert rows.shape == (3, columns)
    assert rows.dtype == dtype
    addresses = [row.__array_interface__["data"][0] for row in rows]
    assert addresses[0] % 4096 == 0
    assert all(address % 64 == 0 for address in addresses)
    rows[:] = 1
    assert rows.sum() == 3 * columns
