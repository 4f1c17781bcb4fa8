"""The destination of a command's data, and the record of its run."""

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ariba_cli.base.errors import OutputError, UsageError
from ariba_cli.cli.console import Console
from ariba_cli.cli.defaults import in_effect
from ariba_cli.reports.canonical import RunRecord
from ariba_cli.reports.run_record import run_record

# Of what goes to a file, held in memory; more is on disk.
_HELD_BYTES = 2**24


class Stopwatch:
    """A stopwatch that notes when a command started."""

    def __init__(self) -> None:
        self._started = datetime.now(UTC)
        self._ticks = time.perf_counter()

    def record(
        self,
        *,
        reproducible: bool,
        round_path: Path | None = None,
        device: str = "cpu",
        sandbox: dict[str, int | bool] | None = None,
    ) -> RunRecord:
        """Return the record of the command up to now, with its round, device and sandbox."""
        epoch = _source_date_epoch()
        if epoch is None and reproducible:
            epoch = 0
        started = self._started if epoch is None else datetime.fromtimestamp(epoch, UTC)
        return run_record(
            started,
            time.perf_counter() - self._ticks if epoch is None else 0.0,
            argv=sys.argv[1:],
            device=device,
            round_path=None if round_path is None else str(round_path),
            sandbox=sandbox,
            config=in_effect(),
        )


def deliver(data: bytes, output: Path | None, console: Console) -> None:
    """Write data to a file or to stdout; see `deliver_all`."""
    deliver_all([data], output, console)


def deliver_all(pieces: Iterable[bytes], output: Path | None, console: Console) -> None:
    """Write pieces of data to stdout, each as it comes, or all of them to a file.

    Raises
    ------
    OutputError
        When they cannot be written; a file that was there is then as it was.
    """
    if output is None:
        for piece in pieces:
            if not console.data(piece):
                break
    elif os.path.exists(output) and not os.path.isfile(output):
        _write_in_place(output, pieces)
    else:
        _write_file(output, pieces)


def _source_date_epoch() -> int | None:
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,11}", text):
        raise UsageError(f"SOURCE_DATE_EPOCH must be a number of seconds, not '{text}'")
    return int(text)


def _write_in_place(output: Path, pieces: Iterable[bytes]) -> None:
    """Write to a pipe or a device, such as /dev/null."""
    with _output_errors(output), output.open("wb") as stream:
        for piece in pieces:
            stream.write(piece)
            stream.flush()


def _write_file(output: Path, pieces: Iterable[bytes]) -> None:
    """Write a file when all pieces are there; until then its folder stays as it was."""
    from tempfile import SpooledTemporaryFile

    from ariba_cli.files.atomic import write_atomically

    # Where a link points to is replaced, and not the link.
    path = Path(os.path.realpath(output))
    with _output_errors(output), SpooledTemporaryFile(max_size=_HELD_BYTES) as held:
        # Rather now than when all the work is done.
        os.stat(path.parent)
        for piece in pieces:
            held.write(piece)
        held.seek(0)
        write_atomically(path, iter(lambda: held.read(_HELD_BYTES), b""))


@contextmanager
def _output_errors(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"'{output}' cannot be written: {error.strerror}") from error
