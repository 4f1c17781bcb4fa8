"""What the machine has, as far as this process may use it."""

import os
from contextlib import suppress
from pathlib import Path

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def cores() -> int:
    """How many processors."""
    return len(os.sched_getaffinity(0))


def memory_bytes() -> int:
    """How much memory, in bytes; less than there is where a container is limited."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):
        total = min(total, int(_CGROUP_LIMIT.read_text()))
    return total
