"""The resources of the machine, as far as this process may use them."""

import os
import resource
from contextlib import suppress
from pathlib import Path

from ariba_cli.base.errors import UsageError

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def is_gpu(device: str) -> bool:
    """Return whether a device is a GPU, and not the processor.

    Raises
    ------
    UsageError
        When its name is not `cpu`, `cuda` or `cuda:N`.
    """
    if device != "cpu" and device.partition(":")[0] != "cuda":
        raise UsageError(f"unknown device '{device}'; use auto, cpu, cuda or cuda:N")
    return device != "cpu"


def cores() -> int:
    """Return the number of processors that this process may use."""
    # Not every system tells; macOS does not.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def memory_bytes() -> int:
    """Return the memory in bytes, within the limits of a container or `ulimit`."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):
        total = min(total, int(_CGROUP_LIMIT.read_text()))
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return total if limit == resource.RLIM_INFINITY else min(total, limit)
