"""A run that was killed is finished by --resume, to the byte as if nothing had happened."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.base.errors import AribaError, InputError, OutputError, UsageError
from ariba_cli.federated.federation import FederationSettings
from ariba_cli.runs.plan import Keep, Plan
from ariba_cli.runs.run_file import read_run, versions
from ariba_cli.runs.simulation import simulate
from tests.conftest import FIXTURES
from tests.models import write_model
from tests.test_federated import contents

PLAN = Plan(
    settings=FederationSettings(participants=3, rounds=2), keep=Keep(every=1), format_name="hdf5"
)


# With fewer bytes to write, for what goes through all steps of writing.
STEPS = replace(PLAN, format_name="safetensors")


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def failing(at: int, error: BaseException, *, again: bool) -> Iterator[list[str]]:
    """Let the call `at` of those that change files fail, and with `again` all after it.

    When all fail, nothing is tidied up any more, as after a kill. Yields the calls made.
    """
    calls: list[str] = []

    def failing_at(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def made(*arguments: object, **options: object) -> object:
            if name == "open" and not int(str(arguments[1])) & os.O_CREAT:
                return call(*arguments, **options)
            calls.append(name)
            if len(calls) == at or (again and len(calls) > at):
                raise error
            return None if name == "fsync" else call(*arguments, **options)

        return made

    with pytest.MonkeyPatch.context() as patch:
        for name in ("open", "fsync", "rename", "replace", "mkdir", "rmdir", "unlink"):
            patch.setattr(os, name, failing_at(name, getattr(os, name)))
        yield calls


@pytest.fixture
def whole(tmp_path: Path, quick: None) -> dict[str, str]:  # noqa: ARG001
    """The files of a run of `STEPS` that nothing happened to."""
    simulate(STEPS, tmp_path / "whole")
    files = contents(tmp_path / "whole")
    shutil.rmtree(tmp_path / "whole")
    return files


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (Killed, True),
        (KeyboardInterrupt, False),
        (lambda: OSError(errno.ENOSPC, "No space left on device"), False),
    ],
    ids=["killed", "interrupted", "disk full"],
)
def test_a_run_that_ends_at_any_step_can_be_finished(
    tmp_path: Path, whole: dict[str, str], error: Callable[[], BaseException], again: bool
) -> None:
    ends = set()
    out, partial = tmp_path / "run", tmp_path / "run.partial"
    for step in range(1, 1000):
        with failing(step, error(), again=again) as calls:
            try:
                simulate(STEPS, out)
                ended: BaseException | None = None
            except (Killed, KeyboardInterrupt, OSError, AribaError) as raised:
                ended = raised
        if len(calls) < step:
            break
        ends.add((out.exists(), partial.exists(), (partial / "checkpoint.json").exists()))
        if not again and ended is not None:
            assert not list(tmp_path.rglob(".*.tmp"))
            assert partial.exists() == (
                "finish it with --resume" in getattr(ended, "__notes__", [])
            )
        assert not out.exists() or contents(out) == whole
        done = simulate(STEPS, out, resume=True)
        assert contents(out) == whole
        assert os.listdir(tmp_path) == ["run"]
        assert done.rounds == (out / "round_0001", out / "round_0002")
        shutil.rmtree(out)
    assert step > 50
    # Before there was a checkpoint, with one, without one any more, and at the very end.
    expected = {
        (False, False, False),
        (False, True, True),
        (False, True, False),
        (True, False, False),
    }
    assert ends == expected


def test_a_run_that_is_killed_again_while_it_is_finished_can_be_finished(
    tmp_path: Path, whole: dict[str, str]
) -> None:
    with failing(50, Killed(), again=True), pytest.raises(Killed):
        simulate(STEPS, tmp_path / "run")
    for step in range(1, 1000):
        with failing(step, Killed(), again=True) as calls:
            try:
                simulate(STEPS, tmp_path / "run", resume=True)
            except Killed:
                continue
        break
    assert len(calls) < step
    assert contents(tmp_path / "run") == whole
    assert os.listdir(tmp_path) == ["run"]


def leave(out: Path, plan: Plan = PLAN, *, finished: int = 1) -> Path:
    """Leave a run that is stopped after so many rounds."""

    def stop(said: str) -> None:
        if said.startswith(f"round {finished}:"):
            raise Killed

    with pytest.raises(Killed):
        simulate(plan, out, say=stop)
    return out.with_name(f"{out.name}.partial")


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    """Every path with what would change if it was written again."""
    return {
        str(path.relative_to(root)): (path.lstat().st_ino, path.lstat().st_mtime_ns)
        for path in root.rglob("*")
    }


SLOWER = replace(PLAN.settings.training, learning_rate=0.001)
OTHER_PLANS = [
    ({"settings": replace(PLAN.settings, participants=4)}, "--participants 3, not 4"),
    ({"settings": replace(PLAN.settings, rounds=3)}, "--rounds 2, not 3"),
    ({"settings": replace(PLAN.settings, eta=0.5)}, "--eta 1.0, not 0.5"),
    ({"keep": Keep()}, "--keep all, not last"),
    ({"keep": Keep(every=3)}, "--keep all, not every:3"),
    ({"format_name": "safetensors"}, "--format hdf5, not safetensors"),
    ({"settings": replace(PLAN.settings, seed=7)}, "--seed 0, not 7"),
    ({"settings": replace(PLAN.settings, model="resnet18")}, "--model cnn, not resnet18"),
    (
        {"settings": replace(PLAN.settings, partition="shards:2")},
        "--partition iid, not shards:2",
    ),
    ({"settings": replace(PLAN.settings, training=SLOWER)}, "--learning-rate 0.01, not 0.001"),
    ({"attack": AttackSettings(begins=2)}, "--attack no attack, not 2"),
    (
        {"settings": replace(PLAN.settings, eta=0.5, seed=7), "format_name": "safetensors"},
        "--eta 1.0, not 0.5",
    ),
]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize(("changes", "message"), OTHER_PLANS)
def test_a_run_is_not_finished_with_other_settings(
    tmp_path: Path, changes: dict[str, Any], message: str, complete: bool
) -> None:
    out = tmp_path / "run"
    if complete:
        simulate(PLAN, out)
    else:
        leave(out)
    before = snapshot(tmp_path)
    with pytest.raises(UsageError, match=f"was begun with {message}; give the same options"):
        simulate(replace(PLAN, **changes), out, resume=True)
    assert snapshot(tmp_path) == before


@pytest.mark.usefixtures("quick")
def test_what_is_complete_is_left_as_it_is(tmp_path: Path) -> None:
    made = simulate(PLAN, tmp_path / "run")
    (tmp_path / "run" / "attacked").mkdir()
    before = snapshot(tmp_path)
    found = simulate(PLAN, tmp_path / "run", resume=True)
    assert found.rounds == made.rounds
    for one, other in zip(found.curve, made.curve, strict=True):
        assert one.accuracy == pytest.approx(other.accuracy, abs=1e-6)
        assert one.loss == pytest.approx(other.loss, abs=1e-6)
    assert snapshot(tmp_path) == before


def replaced(run: Path, old: str, new: str) -> None:
    (run / "run.json").write_text((run / "run.json").read_text().replace(old, new))


def longer_than_memory(run: Path) -> None:
    replaced(run, '"rounds": 2', '"rounds": 999999999')
    (run / "round_0002").rename(run / "round_999999999")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: shutil.rmtree(run / "round_0001"), "--keep last, not all"),
        (lambda run: shutil.rmtree(run / "round_0002"), "does not hold the rounds of a run"),
        (lambda run: (run / "round_0000").mkdir(), "does not hold the rounds of a run"),
        (lambda run: (run / "round_0002/manifest.json").unlink(), "is not as ariba sealed it"),
        (lambda run: (run / "round_0002/global.h5").unlink(), "is not as ariba sealed it"),
        (
            lambda run: replaced(run, '"accuracy": [', '"accuracy": [0.5, '),
            "was not written by ariba",
        ),
        (
            lambda run: replaced(run, '"accuracy": [', '"accuracy": [7.0, '),
            "was not written by ariba",
        ),
        (lambda run: replaced(run, '"rounds": 2', '"rounds": 999999999'), "does not hold the"),
        (longer_than_memory, "does not hold the rounds of a run"),
        (lambda run: (run / "run.json").rename(run / "other"), "run' exists"),
        (lambda run: os.truncate(run / "run.json", 2**27), "more than"),
    ],
)
def test_what_is_no_longer_complete_is_refused(
    tmp_path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    simulate(PLAN, tmp_path / "run")
    spoil(tmp_path / "run")
    before = snapshot(tmp_path)
    with pytest.raises(AribaError) as raised:
        simulate(PLAN, tmp_path / "run", resume=True)
    assert message in str(raised.value)
    assert snapshot(tmp_path) == before


def changed(key: str, value: object) -> Callable[[Path], None]:
    """Give an entry of the checkpoint another value."""

    def change(partial: Path) -> None:
        content = json.loads((partial / "checkpoint.json").read_text())
        content[key] = value
        (partial / "checkpoint.json").write_text(json.dumps(content))

    return change


def other_weights(partial: Path) -> None:
    write_model(partial / "checkpoint_0001.safetensors", {"w": np.zeros(3, np.float32)})


def flipped_weights(partial: Path) -> None:
    with (partial / "checkpoint_0001.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))


def other_run(partial: Path) -> None:
    """The last kill came before the rename, and other libraries wrote run.json."""
    content = json.loads((FIXTURES / "run.json").read_text())
    with read_run(FIXTURES / "clean").federation() as federation:
        content["versions"] = {**versions(federation), "torch": "1.0"}
    (partial / "run.json").write_text(json.dumps(content))
    (partial / "checkpoint.json").unlink()


def spoiled_round(partial: Path) -> None:
    (partial / "round_0001" / "participants" / "p1.h5").write_bytes(b"")


CURVE: dict[str, list[float | None]] = {
    "accuracy": [0.5],
    "loss": [1.5],
    "backdoor_accuracy": [None],
}

BROKEN: list[tuple[Callable[[Path], object], str]] = [
    (lambda partial: (partial / "checkpoint.json").write_bytes(b"\xff{"), "was not written by"),
    (lambda partial: (partial / "checkpoint.json").write_text("[" * 100_000), "was not written by"),
    (lambda partial: (partial / "checkpoint.json").write_text("[]"), "was not written by"),
    (lambda partial: os.truncate(partial / "checkpoint.json", 2**27), "more than"),
    (changed("layout", 4), "was not written by"),
    (changed("layout", 6), "was not written by"),
    (changed("finished", 2), "was not written by"),
    (changed("finished", "1"), "was not written by"),
    (changed("curve", {name: values * 3 for name, values in CURVE.items()}), "was not written by"),
    (changed("curve", {**CURVE, "accuracy": [0.5] * 3}), "was not written by"),
    (changed("curve", {**CURVE, "loss": [float("nan")]}), "was not written by"),
    (changed("curve", {**CURVE, "backdoor_accuracy": [1.5]}), "was not written by"),
    (changed("curve", {"accuracy": [0.5]}), "was not written by"),
    (changed("curve", {**CURVE, "accuracy": [float("nan")]}), "was not written by"),
    (changed("curve", {**CURVE, "accuracy": [10**400]}), "was not written by"),
    (changed("curve", {**CURVE, "accuracy": {"0": 0.5}}), "was not written by"),
    (changed("settings", []), "was not written by"),
    (changed("settings", {"training": {}}), "was not written by"),
    (changed("keep_every", 0), "was not written by"),
    (changed("keep_every", True), "was not written by"),
    (changed("format", []), "was not written by"),
    (changed("format", "zip"), "was not written by"),
    (changed("versions", []), "was not written by"),
    (changed("versions", {}), "was begun with ariba None, and "),
    (changed("sha256", "0" * 64), "its sha256 differs"),
    (flipped_weights, "its sha256 differs"),
    (other_weights, "does not hold the model of the run"),
    (lambda partial: (partial / "checkpoint_0001.safetensors").unlink(), "cannot be opened"),
    (lambda partial: (partial / "checkpoint.json").unlink(), "has rounds, but no checkpoint.json"),
    (lambda partial: shutil.rmtree(partial / "round_0001"), "does not hold the rounds that"),
    (
        lambda partial: shutil.copytree(partial / "round_0001", partial / "round_0003"),
        "does not hold the rounds that",
    ),
    (
        lambda partial: shutil.copytree(partial / "round_0001", partial / "round_0002"),
        "is not as ariba sealed it",
    ),
    (other_run, "was begun with torch 1.0, and "),
    (spoiled_round, "is not as ariba sealed it"),
]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("spoil", "message"), BROKEN)
def test_what_is_not_sound_is_one_line_that_says_to_remove_it(
    tmp_path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(leave(tmp_path / "run"))
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match="remove the directory to start again") as raised:
        simulate(PLAN, tmp_path / "run", resume=True)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert snapshot(tmp_path) == before


@pytest.mark.usefixtures("quick")
def test_a_round_after_the_last_is_none_of_the_run(tmp_path: Path) -> None:
    partial = leave(tmp_path / "run", finished=2)
    shutil.copytree(partial / "round_0001", partial / "round_0003")
    with pytest.raises(InputError, match="does not hold the rounds that"):
        simulate(PLAN, tmp_path / "run", resume=True)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "stranger", ["notes.txt", "round_0001/notes.txt", "round_0002.partial/notes.txt", "runs/"]
)
def test_what_the_program_did_not_write_is_never_lost(tmp_path: Path, stranger: str) -> None:
    partial = leave(tmp_path / "run")
    (partial / "round_0002.partial").mkdir()
    if stranger.endswith("/"):
        (partial / stranger).mkdir()
    else:
        (partial / stranger).touch()
    before = snapshot(tmp_path)
    with pytest.raises(OutputError, match=r"ariba did not write .*; move it away"):
        simulate(PLAN, tmp_path / "run", resume=True)
    assert snapshot(tmp_path) == before


@pytest.mark.usefixtures("quick")
def test_what_is_left_is_the_finished_rounds_and_one_checkpoint(tmp_path: Path) -> None:
    partial = leave(tmp_path / "run")
    expected = ["checkpoint.json", "checkpoint_0001.safetensors", "round_0001"]
    assert sorted(os.listdir(partial)) == expected


@pytest.mark.usefixtures("quick")
def test_finished_rounds_are_kept_and_not_written_again(tmp_path: Path) -> None:
    partial = leave(tmp_path / "run")
    before = snapshot(partial / "round_0001")
    simulate(PLAN, tmp_path / "run", resume=True)
    assert snapshot(tmp_path / "run" / "round_0001") == before


@pytest.mark.usefixtures("quick")
def test_without_resume_nothing_is_taken_up(tmp_path: Path) -> None:
    leave(tmp_path / "run")
    before = snapshot(tmp_path)
    with pytest.raises(
        OutputError, match="left by a run that was stopped; finish it with --resume"
    ):
        simulate(PLAN, tmp_path / "run")
    assert snapshot(tmp_path) == before
