"""The walls around a parser: what it cannot reach, and what is said where they do not hold."""

import errno
import json
import os
import re
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.base.errors import ResourceError
from ariba_cli.formats.isolation.parent import Isolation
from ariba_cli.formats.isolation.syscalls import OWN, PROCESSORS, PROTECTED
from ariba_cli.formats.isolation.walls import Walls, filter_program, probe
from ariba_cli.rounds.directory import open_round
from tests.conftest import FIXTURES, REPOSITORY, Ariba, environment
from tests.models import random_model, write_model
from tests.taken_over import hdf5, write_round

needs_walls = pytest.mark.skipif(
    sys.platform != "linux" or bool(probe().missing),
    reason="this machine gives no Landlock, or no seccomp",
)

# What code that has taken a reader over tries; all of it worked before there were walls, but
# for what limits alone prevent.
TRIES = {
    "read a file of the user": "open(VICTIM + '/secret').read()",
    "close a file of its own, and read": "(os.close(stream.fileno()), open(VICTIM + '/secret'))",
    "list a folder": "os.listdir(VICTIM)",
    "see that a file is there": "os.stat(VICTIM + '/secret')",
    "change a file in place": "os.open(VICTIM + '/secret', os.O_RDWR)",
    "make a file": "os.open(VICTIM + '/new', os.O_CREAT | os.O_WRONLY)",
    "truncate a file": "os.truncate(VICTIM + '/secret', 0)",
    "remove a file": "os.unlink(VICTIM + '/secret')",
    "rename a file": "os.rename(VICTIM + '/secret', VICTIM + '/renamed')",
    "make a link": "os.symlink('/bin/sh', VICTIM + '/link')",
    "make a folder": "os.mkdir(VICTIM + '/folder')",
    "change a mode": "os.chmod(VICTIM + '/secret', 0o777)",
    "go elsewhere": "os.chdir('/')",
    "connect by TCP": "socket.create_connection(('127.0.0.1', PORT), 2)",
    "send by UDP": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
    "listen": "socket.create_server(('127.0.0.1', 0))",
    "make a pair of sockets": "socket.socketpair()",
    "read the parent's memory": "os.open(f'/proc/{os.getppid()}/mem', os.O_RDWR)",
    "signal the parent": "os.kill(os.getppid(), 0)",
    "signal itself as another": "os.kill(os.getpid(), 0)",
    "start a program": "os.posix_spawn('/bin/true', ['true'], {})",
    "become a program": "os.execv('/bin/true', ['true'])",
    "fork": "os.fork()",
    "raise a limit": "resource.setrlimit(resource.RLIMIT_NPROC, (100, 100))",
    "limit the parent": "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))",
    "pretend to be slow": "os.nice(19)",
    "become another user": "os.setuid(65534)",
    "run what it has written": "mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return write_round(tmp_path, monkeypatch)


def refusal_of_p7(root: Path, answer: str) -> str:
    (root / "p7.h5").write_bytes(hdf5(answer))
    findings = audit(open_round(root), AuditSettings(layers=("conv2",))).findings
    (detail,) = [one.detail for one in findings if one.participant == "p7"]
    return detail


@needs_walls
@pytest.mark.parametrize("name", TRIES)
def test_a_reader_that_was_taken_over_cannot(name: str, root: Path, tmp_path: Path) -> None:
    victim = tmp_path / "home"
    victim.mkdir()
    (victim / "secret").write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        tried = TRIES[name].replace("VICTIM", repr(str(victim))).replace("PORT", port)
        reason = refusal_of_p7(root, f"error_of(lambda: {tried})")
    # Denied by the kernel, and not by what happens to be wrong with the try.
    assert f"(exit code {errno.EPERM})" in reason, reason
    assert [one.name for one in victim.iterdir()] == ["secret"]
    assert (victim / "secret").read_text() == "secret"


def test_a_reader_knows_nothing_of_the_environment(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "t0k3n")
    assert "(exit code 7)" in refusal_of_p7(root, "os._exit(8 if os.environ else 7)")
    # What the process was started with still lies at the top of its stack.
    held = "open('/proc/self/environ').read()"
    if probe().missing:
        assert "(exit code 7)" in refusal_of_p7(root, f"os._exit(8 if 'TOKEN' in {held} else 7)")


def test_a_reader_inherits_its_connection_and_its_file_alone(root: Path) -> None:
    is_open = "[one for one in range(200) if not error_number(os.lseek, one, 0, 1) == 9]"
    assert "(exit code 2)" in refusal_of_p7(root, f"os._exit(len({is_open}))")


def test_the_auditor_keeps_its_memory_to_itself() -> None:
    code = (
        "from ariba_cli.cli.options.shared import FILE_LIMITS, MESSAGES; import ctypes\n"
        "FILE_LIMITS.read_options(None, MESSAGES.console()); print(ctypes.CDLL(None).prctl(3))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, check=True
    )
    assert done.stdout == (b"0\n" if sys.platform == "linux" else done.stdout)


# The kernel's own numbers, where its headers are installed: x86-64 has a table of its own, and
# aarch64 that which all newer processors share.
HEADERS = {
    "x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    "aarch64": "/usr/include/asm-generic/unistd.h",
}
# The numbers of kinds of programs in ELF, of 64 bits and little-endian.
ELF_MACHINES = {"x86_64": 62, "aarch64": 183}
AUDIT_64_BITS, AUDIT_LITTLE_ENDIAN = 0x80000000, 0x40000000


@pytest.mark.parametrize("name", PROCESSORS)
def test_calls_have_the_numbers_that_the_kernel_gives_them(name: str) -> None:
    header = Path(HEADERS[name])
    if not header.exists():
        pytest.skip(f"{header} is not installed")
    numbers = {
        found[1]: int(found[2])
        for found in re.finditer(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text())
    }
    assert {call: numbers[call] for call in PROCESSORS[name].calls} == PROCESSORS[name].calls


@pytest.mark.parametrize("name", PROCESSORS)
def test_processors_are_told_apart_as_the_kernel_does(name: str) -> None:
    expected = ELF_MACHINES[name] | AUDIT_64_BITS | AUDIT_LITTLE_ENDIAN
    assert PROCESSORS[name].audit_arch == expected


def test_both_processors_allow_the_same() -> None:
    first, second = (set(one.calls) for one in PROCESSORS.values())
    assert first == second


ALLOW, DENY, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000


def decided(program: bytes, arch: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """Return the kernel's decision on a call, by a naive machine for its filters."""
    data = struct.pack("<IIQ6Q", number, arch, 0, *arguments, *[0] * (6 - len(arguments)))
    steps = list(struct.iter_unpack("=HBBI", program))
    value = at = 0
    while True:
        code, if_true, if_false, operand = steps[at]
        at += 1
        match code:
            case 0x20:
                (value,) = struct.unpack_from("<I", data, operand)
            case 0x15:
                at += if_true if value == operand else if_false
            case 0x45:
                at += if_true if value & operand else if_false
            case 0x06:
                return int(operand)
            case _:
                raise AssertionError(code)


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_filter_lets_through_what_is_listed_and_nothing_else(name: str) -> None:
    processor = PROCESSORS[name]
    program = filter_program(processor, 4711)
    guarded = {processor.calls[call] for call in (*PROTECTED, *OWN)}
    listed = set(processor.calls.values()) - guarded
    for number in range(600):
        if number not in guarded:
            wanted = ALLOW if number in listed else DENY
            assert decided(program, processor.audit_arch, number) == wanted, number
    # The second table of x86-64, with pointers of 32 bits, is none of it.
    assert decided(program, processor.audit_arch, 0x40000000) == DENY
    (other,) = (one.audit_arch for one in PROCESSORS.values() if one is not processor)
    assert decided(program, other, min(listed)) == KILL


@pytest.mark.parametrize("name", PROCESSORS)
def test_a_filter_looks_at_arguments(name: str) -> None:
    processor = PROCESSORS[name]
    program = filter_program(processor, 4711)

    def of(call: str, *arguments: int) -> int:
        return decided(program, processor.audit_arch, processor.calls[call], arguments)

    for call in ("mmap", "mprotect"):
        assert of(call, 0, 4096, 3) == ALLOW
        assert of(call, 0, 4096, 4) == of(call, 0, 4096, 7) == DENY
    assert of("tgkill", 4711, 4711, 6) == ALLOW
    assert of("tgkill", 4712, 4711, 6) == DENY


@pytest.mark.parametrize(
    ("walls", "missing"),
    [
        (Walls(7, True), ""),
        (Walls(0, True), "Landlock"),
        (Walls(7, False), "seccomp"),
        (Walls(), "Landlock and seccomp"),
    ],
)
def test_what_does_not_hold_is_said_once_or_refused(walls: Walls, missing: str) -> None:
    said: list[str] = []
    isolation = Isolation(warn=said.append)
    isolation.note(walls)
    isolation.note(walls)
    assert isolation.walls == walls
    assert [f"this machine lacks {missing}," in one for one in said] == [True] * bool(missing)
    strict = Isolation(required=True, warn=said.append)
    if missing:
        with pytest.raises(ResourceError, match=f"this machine lacks {missing}"):
            strict.note(walls)
    else:
        strict.note(walls)


def round_of_hdf5(root: Path) -> Path:
    for index in range(6):
        write_model(root / f"p{index}.h5", random_model(index), "hdf5")
    return root


def without(calls: str) -> list[str]:
    """A command before a command, which then runs on a kernel that denies these calls."""
    code = (
        "import ctypes, os, struct, sys\n"
        "from ariba_cli.formats.isolation.walls import _step as step\n"
        f"steps = [step(0x20, 0)] + {calls} + [step(6, 0x7FFF0000), step(6, 0x00050001)]\n"
        "code = ctypes.create_string_buffer(b''.join(steps))\n"
        "program = struct.pack('@HP', len(steps), ctypes.addressof(code))\n"
        "libc = ctypes.CDLL(None); libc.prctl(38, 1, 0, 0, 0)\n"
        "assert libc.prctl(22, 2, ctypes.c_char_p(program), 0, 0) == 0\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    return [sys.executable, "-c", code]


NO_LANDLOCK = "[step(0x15, 444, 1, 0)]"
# prctl(PR_SET_SECCOMP, …), by its number on this processor.
PRCTL = 157 if os.uname().machine == "x86_64" else 167
NO_SECCOMP = f"[step(0x15, {PRCTL}, 0, 2), step(0x20, 16), step(0x15, 22, 1, 0)]"


@needs_walls
@pytest.mark.parametrize(
    ("calls", "missing", "held"),
    [
        (NO_LANDLOCK, "Landlock", {"landlock": 0, "seccomp": True}),
        (NO_SECCOMP, "seccomp", {"landlock": probe().landlock, "seccomp": False}),
    ],
)
def test_a_kernel_without_walls(
    tmp_path: Path, calls: str, missing: str, held: dict[str, int]
) -> None:
    round_of_hdf5(tmp_path)

    def run(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
        command = [*without(calls), "-P", "-m", "ariba_cli", *arguments]
        return subprocess.run(command, env=environment(), capture_output=True)

    done = run("audit", str(tmp_path), "-f", "json", "--k-est", "2")
    assert done.returncode == 0, done.stderr
    (warning,) = [line for line in done.stderr.splitlines() if line.startswith(b"warning")]
    assert f"this machine lacks {missing}, so the sandbox".encode() in warning
    assert json.loads(done.stdout)["run"]["sandbox"] == held
    done = run("audit", str(tmp_path), "--require-sandbox")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"this machine lacks {missing}".encode() in done.stderr
    assert f"no {missing}" in run("--version", "-v").stdout.decode()


@needs_walls
def test_what_holds_is_reported(ariba: Ariba, tmp_path: Path) -> None:
    round_of_hdf5(tmp_path)
    held = {"landlock": probe().landlock, "seccomp": True}
    for command in ("audit", "inspect"):
        done = ariba(command, ".", "-f", "json", "--require-sandbox")
        assert json.loads(done.stdout)["run"]["sandbox"] == held
    shown = f"sandbox: Landlock {held['landlock']}, seccomp"
    assert shown in ariba("--version", "-v").stdout.decode().splitlines()
    # Nothing was parsed by a child.
    done = ariba("audit", FIXTURES / "attacked", "-f", "json")
    assert "sandbox" not in json.loads(done.stdout)["run"]
