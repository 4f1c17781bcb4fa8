"""The benchmarks run on small rounds, hold contestants to one result, and say what they find."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.contestants import CONTESTANTS, OTHER_METHODS, pread
from benchmarks.federations import FederationSpec, resized
from benchmarks.jobs import Bench, training
from benchmarks.pagecache import evict, resident
from benchmarks.results import Row, Table, apart, difference, quality
from benchmarks.rounds import make_rounds
from benchmarks.specs import FULL, ONE_LAYER, QUICK, Rounds, RoundSpec
from benchmarks.table import comparison_text, table_text
from benchmarks.tasks import Task
from benchmarks.timing import Timed, in_turns
from benchmarks.trainers import TRAINERS, not_installed
from tests.conftest import environment

TINY = Rounds(
    resnet=RoundSpec("tiny-resnet18", participants=10, boosted=1, width=1),
    wide=RoundSpec("tiny-wide", participants=20, boosted=2, kernels=64),
    few=10,
    many=RoundSpec("tiny-many", participants=12, boosted=2, kernels=64),
)

FEDERATION = FederationSpec(
    name="tiny",
    images=400,
    test_images=100,
    participants=3,
    rounds=3,
    epochs=3,
    batch_size=16,
    learning_rate=0.002,
)


def benchmarks(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def tiny(tmp_path: Path) -> Task:
    """An audit of a very small round."""
    make_rounds(tmp_path, TINY)
    return Task(str(tmp_path / TINY.wide.name), (ONE_LAYER,), TINY.wide.k_est)


def test_every_job_runs_and_all_come_to_the_same_marks(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    quick = ("--quick", "--repeats", 0, "--data", tmp_path, "--contestants", "numpy")
    done = benchmarks(*quick, "--json", report)
    assert done.returncode == 0, done.stderr
    document = json.loads(report.read_bytes())
    rows = {table["job"]: table["rows"] for table in document["jobs"]}
    assert list(rows) == [
        "layer",
        "layers",
        "detectors",
        "panel",
        "process",
        "memory",
        "many",
        "cold",
        "device",
        "training",
    ]
    assert [row["name"] for row in rows["layer"]] == ["pread", "ours", "numpy"]
    assert all(row["agrees"] for row in rows["layer"][1:])
    assert all(row["ratio"] > 1 and row["peak"] > 2**24 for row in rows["layer"][1:])
    assert [row["name"] for row in rows["training"]] == ["ours, digits"]
    assert all(row["agrees"] and row["rounds_per_minute"] > 0 for row in rows["training"])
    assert document["machine"]["cores"] >= 1
    again = benchmarks("--compare", report, report)
    assert again.returncode == 0, again.stderr
    assert "1.00" in again.stdout


@pytest.mark.parametrize("name", CONTESTANTS)
def test_every_contestant_finds_the_boosted(tiny: Task, name: str) -> None:
    reference = CONTESTANTS["ours"](tiny)()
    scores = CONTESTANTS[name](tiny)()
    assert quality(scores[ONE_LAYER], TINY.wide.ids, TINY.wide.compromised, 4) == (
        "P_m 100%, AUC 1.000"
    )
    assert sum(scores[ONE_LAYER]) == TINY.wide.k_est * TINY.wide.kernels
    assert (difference(scores, reference) is None) or name in OTHER_METHODS


def test_every_trainer_comes_to_the_same_loss_in_every_round() -> None:
    reference = TRAINERS["ours"](FEDERATION)()
    assert reference["loss"][0] > reference["loss"][-1] + 1
    for name in ("other-engine", "plain-one-thread"):
        found = TRAINERS[name](FEDERATION)()
        assert apart(found["loss"], reference["loss"]) < 0.02
        assert found["accuracy"] == pytest.approx(reference["accuracy"], abs=0.05)
        assert found["how"] != reference["how"]


def test_flower_comes_to_the_same_loss() -> None:
    if not_installed("flower"):
        pytest.skip("Flower is not installed")
    reference = TRAINERS["ours"](FEDERATION)()
    # In a process of its own, as in the job: the warnings of its libraries are not ours.
    timed = in_turns("flower", FEDERATION, 0, beside="ours")
    assert timed.row.failure is None
    assert apart(timed.found["loss"], reference["loss"]) < 0.02


def test_training_that_comes_to_another_loss_is_not_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = {"ours": [2.0, 1.0], "plain": [2.0, 1.01], "other-engine": [2.0, 1.5]}

    def trained(name: str, spec: FederationSpec, *_: int, beside: str) -> Timed:
        assert beside == "ours"
        row = Row(name=name, bytes=0, rounds=2, seconds=(4.0,), yardstick=(2.0,), peak=9)
        return Timed(row, {"loss": losses[name], "ended": [1.0, 3.0], "how": str(spec)})

    monkeypatch.setattr("benchmarks.jobs.in_turns", trained)
    monkeypatch.setattr("benchmarks.trainers.find_spec", lambda _: None)
    spec = replace(FEDERATION, rounds=2)
    table = training(Bench(tmp_path, TINY, 5, ["cdist", *losses, "flower"], [spec]))
    rows = {row.name: row for row in table.rows}
    assert not table.sound
    assert rows["plain, tiny"].agrees
    assert rows["plain, tiny"].peak == 9
    assert rows["ours, tiny"].peak is None
    assert "loss DIFFERS from ours by 0.5000" in rows["other-engine, tiny"].marks
    text = table_text(table)
    assert "rounds/min  × ours" in text
    assert "30.0     2.0" in text
    assert "30.0 rounds/min after the first" in text
    assert "not installed: flwr, ray" in text


def test_federations_are_resized_where_images_are_made_up() -> None:
    digits = replace(FEDERATION, images=0)
    assert resized([FEDERATION, digits], 60, 1) == (
        replace(FEDERATION, images=60, rounds=1),
        replace(digits, rounds=1),
    )
    assert resized([FEDERATION], None, None) == (FEDERATION,)


def test_other_marks_are_said() -> None:
    ours = {"a": [3, 2, 1], "b": [0, 5, 1]}
    assert difference(ours, ours) is None
    assert difference({"a": [3, 2, 1], "b": [2, 2, 2]}, ours) == (
        "3 of 6 scores DIFFER from ours, by 3 at most"
    )
    row = Row(name="cdist", bytes=1, seconds=(1.0,), agrees=True)
    assert Table("layer", "", (row,)).sound
    assert not Table("layer", "", (replace(row, agrees=False),)).sound


def test_quality_is_that_of_the_ranking() -> None:
    ids = ["p0", "p1", "p2", "p3"]
    assert quality([9, 1, 5, 5], ids, ["p0", "p2"], 2) == "P_m 100%, AUC 0.875"
    assert quality([9, 5, 1, 5], ids, ["p0", "p2"], 2) == "P_m 50%, AUC 0.500"


def test_a_ratio_is_that_of_runs_side_by_side() -> None:
    # While something else ran, both took ten times as long.
    row = Row(name="ours", bytes=10, seconds=(9.0, 6.0, 60.0, 6.3), yardstick=(1.0, 2.0, 20.0, 2.0))
    assert row.ratio == 3.0
    assert row.typical == 6.3
    assert replace(row, seconds=(9.0,), yardstick=(1.0,)).ratio == 9.0


def test_a_contestant_that_fails_is_a_row_with_the_reason(tiny: Task) -> None:
    row = in_turns("numpy", tiny, 0).row
    assert row.failure is None
    failed = in_turns("numpy", replace(tiny, k_est=10**6), 0).row
    assert failed.failure is not None
    assert failed.failure.startswith("ValueError")
    assert "failed: ValueError" in table_text(Table("layer", "", (failed,)))


def test_the_yardstick_reads_the_bytes_of_the_layer(tiny: Task) -> None:
    from safetensors.numpy import load_file

    assert tiny.bytes == 20 * 64 * 9 * 4
    for one, path in zip(tiny.ranges, tiny.files, strict=True):
        raw = path.read_bytes()[one.start : one.start + one.length]
        assert np.array_equal(np.frombuffer(raw, "<f4"), load_file(path)[ONE_LAYER].reshape(-1))
    assert pread(tiny)() == {}


def test_rounds_are_made_once_and_known_again(tmp_path: Path) -> None:
    make_rounds(tmp_path, TINY)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    assert len(before) == 10 + 1 + 20 + 1 + 10 + 12 + 1
    make_rounds(tmp_path, TINY)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    with pytest.raises(SystemExit, match="remove it"):
        make_rounds(tmp_path, replace(TINY, wide=replace(TINY.wide, kernels=32)))


def test_the_round_is_a_resnet18() -> None:
    tensors = FULL.resnet.tensors()
    # As many values as torchvision's, with ten classes: weights, then what is measured.
    weights = [shape for name, shape in tensors.items() if "running" not in name and shape]
    assert sum(int(np.prod(shape)) for shape in weights) == 11_181_642
    assert len(tensors) == 122
    assert tensors["layer4.1.conv1.weight"] == (512, 512, 3, 3)
    assert len(FULL.resnet.layers_of_3x3()) == 16
    assert QUICK.resnet.tensors().keys() == tensors.keys()


def test_files_are_put_out_of_the_page_cache(tiny: Task, tmp_path: Path) -> None:
    for path in tiny.files:
        path.read_bytes()
    assert resident(tiny.files) == 1.0
    if not forgets_files(tmp_path):
        pytest.skip("this file system keeps its files in memory")
    evict(tiny.files)
    assert resident(tiny.files) == 0.0


def forgets_files(folder: Path) -> bool:
    """Return True if the kernel forgets files of this file system when it is asked to."""
    with (folder / "probe").open("wb") as stream:
        stream.write(bytes(2**16))
        stream.flush()
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return resident([folder / "probe"]) == 0.0


def test_the_process_that_measures_is_small() -> None:
    # A child's peak of memory starts with its parent's.
    script = "import sys, benchmarks.__main__; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, check=True
    )
    assert not {"numpy", "ariba_cli", "torch"} & set(done.stdout.decode().split())


def test_a_comparison_leaves_out_what_only_one_has() -> None:
    def document(*rows: dict[str, Any]) -> dict[str, Any]:
        machine = {"commit": "abc", "cpu": "one", "cores": 2}
        jobs = [{"job": "layer", "title": "a layer", "beside": "pread", "rows": list(rows)}]
        return {"machine": machine, "started": "today", "jobs": jobs}

    old = Row(name="ours", bytes=9, seconds=(4.0,), yardstick=(1.0,)).as_dict()
    new = Row(name="ours", bytes=9, seconds=(1.0,), yardstick=(0.5,)).as_dict()
    other = Row(name="cdist", bytes=9, seconds=(1.0,)).as_dict()
    failed = Row(name="numpy", bytes=9, failure="out of memory").as_dict()
    text = comparison_text(document(old, failed), document(new, other, failed))
    assert text.splitlines()[-1].split() == ["ours", "1.000", "4.000", "0.25", "2.0", "4.0"]
