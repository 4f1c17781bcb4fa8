"""The process that parses may crash, hang or lie: that is a finding, and the next file is read."""

import os
from pathlib import Path

import pytest

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.files.limits import Limits
from ariba_cli.formats.model import ReadOptions
from ariba_cli.rounds.directory import open_round
from ariba_cli.verdicts.verdict import Verdict
from fixtures.hostile.weights import RAW
from tests.conftest import REPOSITORY
from tests.models import write_flat_round

SIGNATURE = b"\x89HDF\r\n\x1a\n"
SOUND = "{'tensors': [['conv2.weight', 'F32', [8, 4, 3, 3], 8]], 'skipped': []}"

# Takes the place of the module that uses the HDF5 library, which has no crash that lasts
# through its versions: what a file has after its values is done, and is the answer.
LIBRARY = '''
import os, resource, socket, sys, time, types

def tensors(stream, limits, group):
    data = os.pread(stream.fileno(), 10_000, 0)
    return eval(data[8 + 1152:].rstrip(b"\\0")), ()

def values(stream, limits, group, tensor):
    return None, [bytes(5000)]

def error_of(call, *arguments):
    """End with the number of the error that it raises, or with 99 where it is allowed."""
    try:
        call(*arguments)
    except OSError as error:
        os._exit(error.errno)
    os._exit(99)

library = types.ModuleType("ariba_cli.formats.isolation.hdf5")
library.QUESTIONS = {"tensors": tensors, "values": values}
library.COPIES = 0
library.try_out = lambda: None
sys.modules[library.__name__] = library
'''


def hdf5(answer: str) -> bytes:
    return SIGNATURE + RAW + answer.encode()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six honest participants, and p6 and p8, who send what the child must read."""
    (tmp_path / "sitecustomize.py").write_text(LIBRARY)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{REPOSITORY}")
    root = write_flat_round(tmp_path / "round")
    for name in ("p6", "p8"):
        (root / f"{name}.h5").write_bytes(hdf5(SOUND))
    return root


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
        ("os.kill(os.getpid(), 11)", "crashed the process that parses it (SIGSEGV)"),
        ("os.kill(os.getpid(), 9)", "crashed the process that parses it (SIGKILL)"),
        ("os.kill(os.getpid(), 40)", "crashed the process that parses it (signal 40)"),
        ("os._exit(3)", "stopped the process that parses it (exit code 3)"),
        ("1 / 0", "stopped the process that parses it (exit code 1)"),
        ("os.write(int(sys.argv[1]), b'\\xff' * 8)", "the process that parses it"),
        ("os.write(int(sys.argv[1]), bytes([2] + [0] * 7) + b'[]')", "the process that parses it"),
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
        ("error_of(os.write, stream.fileno(), b'x')", 9),
        ("error_of(os.truncate, stream.fileno(), 0)", 22),
    ],
)
def test_a_reader_can_open_and_write_nothing(root: Path, answer: str, why: int) -> None:
    """24 is EMFILE: no more files; 9 and 22, that this one is not open for that."""
    assert f"(exit code {why})" in reason(root, answer)


@pytest.mark.parametrize("answer", ["time.sleep(60)", "[0 for _ in iter(int, 1)]"])
def test_a_file_that_keeps_its_reader_busy_is_refused(root: Path, answer: str) -> None:
    terms = ReadOptions(limits=Limits(seconds=0.5))
    assert reason(root, answer, terms).startswith("took longer than 0.5 s to parse")


def test_a_reader_ends_by_itself_when_nobody_waits_for_it(root: Path) -> None:
    """Also of a question that uses no more than the processor's time."""
    limits = "resource.getrlimit(resource.RLIMIT_CPU)"
    answer = f"os._exit({limits}[0])"
    assert "(exit code 8)" in reason(root, answer, ReadOptions(limits=Limits(seconds=7)))


def test_a_file_that_takes_all_memory_is_refused(root: Path) -> None:
    assert "of memory to parse" in reason(root, "bytearray(2**40)")


def test_a_hole_in_a_file_gives_it_no_memory(root: Path) -> None:
    (root / "p7.h5").write_bytes(hdf5("bytearray(2**34)"))
    os.truncate(root / "p7.h5", 2**34)
    (finding,) = [one for one in run(root).findings if one.participant == "p7"]
    assert "of memory to parse" in finding.detail


@pytest.mark.parametrize("what", ["FSIZE", "CORE", "NPROC"])
def test_a_reader_writes_no_file_leaves_no_core_and_starts_nothing(root: Path, what: str) -> None:
    limit = f"resource.getrlimit(resource.RLIMIT_{what})"
    assert "(exit code 10)" in reason(root, f"os._exit(10 if {limit} == (0, 0) else 11)")


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
        "5": "not sound HDF5",
        "[5]": "not sound HDF5",
        "[[]]": "not sound HDF5",
        "[['conv2.weight']]": "not sound HDF5",
        "[['conv2.weight', 'V', [288], 8]]": "not sound HDF5",
        "[['conv2.weight', 'F32', [-288], 8]]": "not sound HDF5",
        "[['conv2.weight', 'F32', [288], 8.0]]": "not sound HDF5",
        "[['conv2.weight', 'F32', 288, 8]]": "not sound HDF5",
        "[['conv2.weight', 'F32', [8, 4, 3, 3], 8]] * 2": "not sound HDF5",
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
        assert "not sound HDF5" in reason(root, answer, terms), answer


def test_nobody_is_blamed_for_a_reader_that_an_earlier_file_has_ruined(root: Path) -> None:
    """p6 has it die over whatever comes next."""
    die = "globals().update(eval=lambda _: os.abort())"
    (root / "p6.h5").write_bytes(hdf5(f"({die}, {SOUND})[1]"))
    verdict = run(root)
    assert len(verdict.ranking) == 8
    assert [one.kind for one in verdict.findings] == ["unsealed", "duplicate"]


def test_a_reader_that_was_killed_while_it_waited_is_started_again(root: Path) -> None:
    terms = ReadOptions()

    def progress(what: str, done: int, _total: int) -> None:
        if what == "opening" and done == 7:
            running = terms.hdf5._running
            assert running is not None
            running.process.kill()

    verdict = audit(open_round(root, terms), AuditSettings(layers=("conv2",)), progress)
    assert len(verdict.ranking) == 8
