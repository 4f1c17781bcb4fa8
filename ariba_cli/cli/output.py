"""Where a command's data goes, and the record of its run."""

import os
import platform
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import ariba_cli
from ariba_cli.cli.console import Console
from ariba_cli.errors import OutputError, UsageError
from ariba_cli.reports.canonical import RunRecord

_LIBRARIES = ("numpy", "h5py", "safetensors", "torch", "pyod", "scipy", "sklearn")


class Stopwatch:
    """Notes when a command started."""

    def __init__(self) -> None:
        self._started = datetime.now(UTC)
        self._ticks = time.perf_counter()

    def record(self, *, reproducible: bool) -> RunRecord:
        """How the command was run, up to now."""
        epoch = _source_date_epoch()
        if epoch is None and reproducible:
            epoch = 0
        started = self._started if epoch is None else datetime.fromtimestamp(epoch, UTC)
        return RunRecord(
            ariba=ariba_cli.__version__,
            python=platform.python_version(),
            libraries={
                name: sys.modules[name].__version__ for name in _LIBRARIES if name in sys.modules
            },
            argv=sys.argv[1:],
            started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds=round(time.perf_counter() - self._ticks, 3) if epoch is None else 0.0,
            device="cpu",
        )


def deliver(data: bytes, output: Path | None, console: Console) -> None:
    """Write data to a file or to stdout.

    Raises
    ------
    OutputError
        When it cannot be written; a file that was there is then as it was.
    """
    from ariba_cli.rounds.writing import write_atomically

    if output is None:
        console.data(data)
    elif os.path.exists(output) and not os.path.isfile(output):
        _write_in_place(output, data)
    else:
        # Where a link points to is replaced, and not the link.
        write_atomically(Path(os.path.realpath(output)), [data])


def _source_date_epoch() -> int | None:
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,11}", text):
        raise UsageError(f"SOURCE_DATE_EPOCH is '{text}'; it must be a number of seconds")
    return int(text)


def _write_in_place(output: Path, data: bytes) -> None:
    """Write to a pipe or a device, such as /dev/null."""
    try:
        output.write_bytes(data)
    except OSError as error:
        raise OutputError(f"'{output}' cannot be written: {error.strerror}") from error
