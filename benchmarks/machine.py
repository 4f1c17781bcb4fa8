"""The machine on which the figures were taken."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

_LIBRARIES = ("ariba-cli", "numpy", "scipy", "scikit-learn", "pyod", "torch", "flwr", "safetensors")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def machine() -> dict[str, Any]:
    """Return processor, memory, versions, thread settings, and the state of the code."""
    return {
        "cpu": _field(Path("/proc/cpuinfo"), "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": _field(Path("/proc/meminfo"), "MemTotal"),
        "system": platform.platform(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "threads": {name: os.environ.get(name) for name in _THREADS},
        "commit": _commit(),
    }


def _field(path: Path, name: str) -> str | None:
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    try:
        command = ["git", "describe", "--always", "--dirty"]
        found = subprocess.run(command, capture_output=True, cwd=Path(__file__).parent, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.decode().strip()
