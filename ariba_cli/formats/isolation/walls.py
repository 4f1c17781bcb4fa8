"""The walls around a parser: Landlock blocks files and the network, seccomp the system calls.

    python -m ariba_cli.formats.isolation.walls

prints which of them this machine provides. They are features of the Linux kernel; a process
that has taken them cannot give them up.
"""

import ctypes
import errno
import json
import os
import resource
import struct
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cache

from ariba_cli.base.errors import ResourceError
from ariba_cli.formats.isolation.syscalls import OWN, PROCESSORS, PROTECTED, Processor

_SET_PDEATHSIG, _SET_DUMPABLE, _SET_SECCOMP, _SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SIGKILL = 9

# The same numbers on every processor.
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446
_LANDLOCK_VERSION = 1

_FILTER = 2
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOWED, _DENIED, _KILLED = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
# Where the kernel puts a call's number, the processor and the arguments for a filter.
_NUMBER, _ARCH, _ARGUMENTS, _ARGUMENT_BYTES = 0, 4, 16, 8
_PROT_EXEC = 4

_SECONDS_TO_PROBE = 60.0


@dataclass(frozen=True)
class Walls:
    """The walls that hold around a process.

    Attributes
    ----------
    landlock : int
        The version of Landlock in the kernel; 0 if there is none.
    seccomp : bool
        True if system calls are filtered.
    """

    landlock: int = 0
    seccomp: bool = False

    @property
    def missing(self) -> str:
        """Return the names of the walls that do not hold."""
        held = {"Landlock": self.landlock > 0, "seccomp": self.seccomp}
        return " and ".join(name for name, holds in held.items() if not holds)

    def __str__(self) -> str:
        """Return both of them in words, for `ariba --version -v`."""
        landlock = f"Landlock {self.landlock}" if self.landlock else "no Landlock"
        return f"{landlock}, {'seccomp' if self.seccomp else 'no seccomp'}"


def enter() -> Walls:
    """Give up for good everything that a parser does not need, and return the walls that hold.

    Open files stay open. No other file can be opened, even without walls.
    """
    if sys.platform != "linux":
        _open_no_more()
        return Walls()
    libc = _libc()
    libc.prctl(_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    landlock = _enter_landlock(libc)
    _open_no_more()
    return Walls(landlock, _enter_seccomp(libc))


def hide_memory() -> None:
    """Keep other processes of the same user from reading and writing this one's memory."""
    if sys.platform == "linux":
        _libc().prctl(_SET_DUMPABLE, 0, 0, 0, 0)


@cache
def probe() -> Walls:
    """Return the walls that this machine provides, as found out by a process of its own.

    Raises
    ------
    ResourceError
        When that process cannot be started.
    """
    command = [sys.executable, "-P", "-m", __name__]
    try:
        found = subprocess.run(
            command, capture_output=True, check=True, timeout=_SECONDS_TO_PROBE
        ).stdout
        return Walls(**json.loads(found))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise ResourceError(
            f"the sandbox could not be tried ({type(error).__name__}); check that {command[0]} "
            "can be started"
        ) from error


def filter_program(processor: Processor, own: int) -> bytes:
    """Return the kernel's filter program that lets through the system calls of a parser.

    Parameters
    ----------
    processor : Processor
        The kind of processor; calls of any other kind end the process.
    own : int
        The id of the process, which may signal itself.
    """
    calls = dict(processor.calls)
    program = [
        _step(_LOAD, _ARCH),
        _step(_EQUAL, processor.audit_arch, 1, 0),
        _step(_RETURN, _KILLED),
        _step(_LOAD, _NUMBER),
    ]
    for name, index in PROTECTED.items():
        program += _guarded(calls.pop(name), index, _step(_ANY_BIT, _PROT_EXEC, 0, 1))
    for name, index in OWN.items():
        program += _guarded(calls.pop(name), index, _step(_EQUAL, own, 1, 0))
    for left, number in zip(range(len(calls), 0, -1), calls.values(), strict=True):
        program.append(_step(_EQUAL, number, left, 0))
    program += [_step(_RETURN, _DENIED), _step(_RETURN, _ALLOWED)]
    return b"".join(program)


def _guarded(number: int, argument: int, test: bytes) -> list[bytes]:
    """Return the steps for a call that an argument decides on; the step after `test` denies it."""
    return [
        _step(_EQUAL, number, 0, 4),
        _step(_LOAD, _ARGUMENTS + _ARGUMENT_BYTES * argument),
        test,
        _step(_RETURN, _DENIED),
        _step(_RETURN, _ALLOWED),
    ]


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _open_no_more() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _enter_seccomp(libc: ctypes.CDLL) -> bool:
    processor = PROCESSORS.get(os.uname().machine)
    if processor is None or sys.maxsize < 2**32:
        # A program of 32 bits makes other calls than the kernel's own kind.
        return False
    program = filter_program(processor, os.getpid())
    steps = ctypes.create_string_buffer(program)
    described = struct.pack("@HP", len(program) // len(_step(0, 0)), ctypes.addressof(steps))
    return bool(libc.prctl(_SET_SECCOMP, _FILTER, ctypes.c_char_p(described), 0, 0) == 0)


def _enter_landlock(libc: ctypes.CDLL) -> int:
    """Restrict everything that this kernel's version of Landlock knows, with no exceptions."""
    version = int(
        libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(_LANDLOCK_VERSION))
    )
    if version < 1:
        return 0
    # Of files 13 rights in version 1, then moving, truncating, and the control of devices.
    files = 13 + (version >= 2) + (version >= 3) + (version >= 5)
    rules = struct.pack("=Q", 2**files - 1)
    if version >= 4:
        # To bind and connect by TCP.
        rules += struct.pack("=Q", 3)
    if version >= 6:
        # Abstract sockets and signals to processes outside.
        rules += struct.pack("=Q", 3)
    descriptor = libc.syscall(
        _LANDLOCK_CREATE, ctypes.c_char_p(rules), ctypes.c_size_t(len(rules)), ctypes.c_uint(0)
    )
    if descriptor < 0:
        return 0
    try:
        held = libc.syscall(_LANDLOCK_RESTRICT, ctypes.c_int(descriptor), ctypes.c_uint(0)) == 0
        return version if held else 0
    finally:
        os.close(descriptor)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    print(json.dumps(asdict(enter())), flush=True)
