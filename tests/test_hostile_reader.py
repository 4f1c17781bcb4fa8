"""The process that parses may crash, hang or lie: that is a finding, and the next file is read."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.files.limits import Limits
from ariba_cli.formats.isolation.walls import probe
from ariba_cli.formats.model import ReadOptions
from ariba_cli.rounds.directory import open_round
from ariba_cli.verdicts.verdict import Verdict
from tests.conftest import REPOSITORY
from tests.taken_over import SOUND, hdf5, write_round


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return write_round(tmp_path, monkeypatch)


def run(root: Path, terms: ReadOptions | None = None) -> Verdict:
    return audit(open_round(root, terms), AuditSettings(layers=("conv2",)))


def reason(root: Path, answer: str, terms: ReadOptions | None = None) -> str:
    """Why p7 is left out; p6, before it, and p8, after it, must be ranked."""
    (root / "p7.h5").write_bytes(hdf5(answer))
    verdict = run(root, terms)
    assert len(verdict.ranking) == 8
    (finding,) = [one for one in verdict.findings if one.participant == "p7"]
    assert finding.kind == "refused"
    return finding.detail


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("os.abort()", "crashed the process that parses it (SIGABRT)"),
        ("signal.raise_signal(11)", "crashed the process that parses it (SIGSEGV)"),
        ("signal.raise_signal(9)", "crashed the process that parses it (SIGKILL)"),
        ("signal.raise_signal(40)", "crashed the process that parses it (signal 40)"),
        ("os._exit(3)", "stopped the process that parses it (exit code 3)"),
        ("1 / 0", "stopped the process that parses it (exit code 1)"),
        ("say(b'\\xff' * 8)", "send nonsense"),
        ("say(bytes([2] + [0] * 7) + b'[]')", "send nonsense"),
    ],
)
def test_a_file_that_brings_its_reader_down_is_refused(root: Path, answer: str, why: str) -> None:
    assert why in reason(root, answer)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("error_of(open, '/etc/passwd')", 24),
        ("error_of(open, 'new', 'w')", 24),
        ("error_of(socket.socket)", 24),
        ("error_of(os.truncate, stream.fileno(), 0)", 22),
    ],
)
def test_a_reader_can_open_and_write_nothing(root: Path, answer: str, why: int) -> None:
    """24 is EMFILE: no more files; 22, that this one is not open for that; 1, that walls hold."""
    assert f"(exit code {1 if probe().seccomp else why})" in reason(root, answer)


def test_a_reader_cannot_write_into_the_file_that_it_reads(root: Path) -> None:
    assert "(exit code 9)" in reason(root, "error_of(os.write, stream.fileno(), b'x')")


@pytest.mark.parametrize("answer", ["time.sleep(60)", "[0 for _ in iter(int, 1)]"])
def test_a_file_that_keeps_its_reader_busy_is_refused(root: Path, answer: str) -> None:
    terms = ReadOptions(limits=Limits(seconds=0.5))
    assert reason(root, answer, terms).startswith("took longer than 0.5 s to parse")


def limits_taken(seconds: float, *, before: str = "pass") -> dict[str, list[int]]:
    """The limits of a child, by their names, after those that a user has set `before`."""
    names = ("AS", "CORE", "CPU", "FSIZE", "NPROC")
    code = (
        "import json, resource; from resource import *\n"
        "from ariba_cli.files.limits import Limits; from ariba_cli.formats.isolation import child\n"
        f"{before}; said = child._take_limits(Limits(), {seconds}, 0)\n"
        f"taken = {{n: getrlimit(getattr(resource, 'RLIMIT_' + n)) for n in {names}}}\n"
        "print(json.dumps(taken | {'said': said}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True)
    return dict(json.loads(done.stdout))


def test_a_reader_ends_by_itself_when_nobody_waits_for_it() -> None:
    """Also of a question that uses no more than the processor's time."""
    assert limits_taken(7)["CPU"] == [8, 9]


@pytest.mark.parametrize("what", ["FSIZE", "CORE", "NPROC"])
def test_a_reader_writes_no_file_leaves_no_core_and_starts_nothing(what: str) -> None:
    assert limits_taken(7)[what] == [0, 0]


def test_a_reader_keeps_the_limits_that_its_user_has_set() -> None:
    """Those of a batch system are hard ones, and most often generous."""
    generous = f"setrlimit(RLIMIT_AS, ({2**40},) * 2); setrlimit(RLIMIT_CPU, (3600,) * 2)"
    taken = limits_taken(7, before=generous)
    assert taken["CPU"] == [8, 9]
    assert "2,147,483,648" in str(taken["said"])
    narrow = f"setrlimit(RLIMIT_AS, ({2**30},) * 2); setrlimit(RLIMIT_CPU, (5,) * 2)"
    taken = limits_taken(7, before=narrow)
    assert taken["CPU"] == [4, 5]
    assert taken["AS"] == [2**30] * 2
    assert "ulimit -v" in str(taken["said"])


def test_a_file_that_takes_all_memory_is_refused(root: Path) -> None:
    assert "of memory to parse" in reason(root, "bytearray(2**40)")


def test_a_hole_in_a_file_gives_it_no_memory(root: Path) -> None:
    (root / "p7.h5").write_bytes(hdf5("bytearray(2**34)"))
    os.truncate(root / "p7.h5", 2**34)
    (finding,) = [one for one in run(root).findings if one.participant == "p7"]
    assert "of memory to parse" in finding.detail


def test_a_reader_takes_nothing_from_where_the_user_is(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cwd").mkdir()
    for module in ("socket", "resource", "numpy", "ariba_cli"):
        (tmp_path / "cwd" / f"{module}.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path / "cwd")
    assert "(exit code 3)" in reason(root, "os._exit(3)")


def test_what_a_reader_says_is_believed_no_more_than_the_file(root: Path) -> None:
    terms = ReadOptions()
    for listed, why in {
        "5": "not valid HDF5",
        "[5]": "not valid HDF5",
        "[[]]": "not valid HDF5",
        "[['conv2.weight']]": "not valid HDF5",
        "[['conv2.weight', 'V', [288], 8]]": "not valid HDF5",
        "[['conv2.weight', 'F32', [-288], 8]]": "not valid HDF5",
        "[['conv2.weight', 'F32', [288], 8.0]]": "not valid HDF5",
        "[['conv2.weight', 'F32', 288, 8]]": "not valid HDF5",
        "[['conv2.weight', 'F32', [8, 4, 3, 3], 8]] * 2": "not valid HDF5",
        "[['a' * 2000, 'F32', [288], 8]]": "a name of 2,000 characters",
        "[['a', 'F32', [1] * 70, 8]]": "70 dimensions",
        "[['a', 'F32', [2**60], 8]]": "larger than any file",
        "[['a', 'F32', [2**50], None]]": "would expand",
        "[['a', 'F32', [288], -4]]": "an overlap",
        "[['a', 'F32', [288], 2**70]]": "is truncated",
        "[['a', 'F32', [2], 8], ['b', 'F32', [2], 12]]": "an overlap",
        "[[str(i), 'F32', [], 8] for i in range(100_001)]": "100,001 tensors",
        # It then sends more bytes than there are to be.
        "[['conv2.weight', 'F32', [8, 4, 3, 3], None]]": "the process that parses it",
    }.items():
        answer = f"{{'tensors': {listed}, 'skipped': []}}"
        assert why in reason(root, answer, terms), listed


def test_nor_is_what_it_says_of_the_rest(root: Path) -> None:
    terms = ReadOptions()
    tensor = "[['conv2.weight', 'F32', [8, 4, 3, 3], 8]]"
    for answer in (
        "5",
        tensor,
        f"{{'tensors': {tensor}}}",
        f"{{'tensors': {tensor}, 'skipped': 5}}",
        f"{{'tensors': {tensor}, 'skipped': [['a']]}}",
        f"{{'tensors': {tensor}, 'skipped': [['a', 5]]}}",
        f"{{'tensors': {tensor}, 'skipped': [['a', '\\x1b[2J']]}}",
    ):
        assert "not valid HDF5" in reason(root, answer, terms), answer


def test_what_takes_over_one_reader_says_nothing_of_others(root: Path) -> None:
    """p6 would have it die over whatever comes next, or say of it what it likes."""
    for evil in (
        "globals().update(eval=lambda _: os.abort())",
        "globals().update(eval=lambda _: 5)",
    ):
        (root / "p6.h5").write_bytes(hdf5(f"({evil}, {SOUND})[1]"))
        verdict = run(root)
        assert len(verdict.ranking) == 8
        assert [one.kind for one in verdict.findings] == ["unsealed", "duplicate"]


@pytest.mark.parametrize("which", ["child", "nursery"])
def test_a_process_that_was_killed_while_it_waited_is_started_again(root: Path, which: str) -> None:
    terms = ReadOptions()

    def progress(what: str, done: int, _total: int) -> None:
        nursery = terms.isolation.hdf5._nursery
        if what == "opening" and done == 7:
            assert nursery is not None
            waiting = nursery.process.pid
            if which == "child":
                children = Path(f"/proc/{waiting}/task/{waiting}/children")
                waiting = int(children.read_text().split()[0])
            os.kill(waiting, signal.SIGKILL)

    verdict = audit(open_round(root, terms), AuditSettings(layers=("conv2",)), progress)
    assert len(verdict.ranking) == 8
