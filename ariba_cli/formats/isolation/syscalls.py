"""The system calls that a parser may make, by their numbers on each kind of processor.

They are the calls that CPython, NumPy and HDF5 use to parse a file that is already open and to
answer on a socket. Calls that open, make, connect, start or signal something are left out, and
so are all calls that take the name of a file, even to ask whether it exists.
"""

from typing import NamedTuple

# Memory that can be written must not come to be run: no PROT_EXEC among the protections.
PROTECTED = {"mmap": 2, "mprotect": 2}
# A process may signal itself, as `abort` does, and no other.
OWN = {"tgkill": 0}


class Processor(NamedTuple):
    """A kind of processor, with its number in the kernel and the numbers of its system calls."""

    audit_arch: int
    calls: dict[str, int]


PROCESSORS = {
    "x86_64": Processor(
        0xC000003E,
        {
            "read": 0,
            "write": 1,
            "close": 3,
            "lseek": 8,
            "mmap": 9,
            "mprotect": 10,
            "munmap": 11,
            "brk": 12,
            "rt_sigaction": 13,
            "rt_sigprocmask": 14,
            "rt_sigreturn": 15,
            "pread64": 17,
            "sched_yield": 24,
            "mremap": 25,
            "madvise": 28,
            "nanosleep": 35,
            "getpid": 39,
            "sendto": 44,
            "recvfrom": 45,
            "exit": 60,
            "gettimeofday": 96,
            "sigaltstack": 131,
            "gettid": 186,
            "futex": 202,
            "sched_getaffinity": 204,
            "restart_syscall": 219,
            "clock_gettime": 228,
            "clock_nanosleep": 230,
            "exit_group": 231,
            "tgkill": 234,
            "set_robust_list": 273,
            "getrandom": 318,
            "membarrier": 324,
            "rseq": 334,
        },
    ),
    "aarch64": Processor(
        0xC00000B7,
        {
            "close": 57,
            "lseek": 62,
            "read": 63,
            "write": 64,
            "pread64": 67,
            "exit": 93,
            "exit_group": 94,
            "futex": 98,
            "set_robust_list": 99,
            "nanosleep": 101,
            "clock_gettime": 113,
            "clock_nanosleep": 115,
            "sched_getaffinity": 123,
            "sched_yield": 124,
            "restart_syscall": 128,
            "tgkill": 131,
            "sigaltstack": 132,
            "rt_sigaction": 134,
            "rt_sigprocmask": 135,
            "rt_sigreturn": 139,
            "gettimeofday": 169,
            "getpid": 172,
            "gettid": 178,
            "sendto": 206,
            "recvfrom": 207,
            "brk": 214,
            "munmap": 215,
            "mremap": 216,
            "mmap": 222,
            "mprotect": 226,
            "madvise": 233,
            "getrandom": 278,
            "membarrier": 283,
            "rseq": 293,
        },
    ),
}
