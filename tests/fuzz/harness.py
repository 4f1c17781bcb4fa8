"""The outcomes that an input may have: it is read, or refused in one line. Others are failures."""

import resource
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.files.limits import Limits

# A mutation that knows no format.
Plain = Callable[[bytes], bytes]
Mutate = Callable[[bytes, Random, Plain], bytes]

# Small, so that what goes beyond them shows at once.
LIMITS = Limits(
    json_bytes=2**20,
    header_bytes=2**20,
    expanded_bytes=2**24,
    seconds=5.0,
    memory_bytes=2**28,
)
# The most that is read of one tensor, and in one input: reading is not what is tried here.
TENSOR_BYTES = 2**22
INPUT_BYTES = 2**24
TENSORS = 64

# Beyond what a question may take; wide, as fuzzers run beside other work.
_MARGIN_SECONDS = 10.0
# What an input may add to the memory of the process that reads it: one tensor and its
# values, twice what may be expanded, and the descriptions.
_MOST_GROWN = 2**26
_MOST_REASON = 2**14
SLOW = "slow"


@dataclass(frozen=True)
class Target:
    """One reader, and how it is fuzzed.

    Attributes
    ----------
    seeds : sound inputs by name.
    place : makes the file or folder that the bytes stand for, in a folder of its own.
    read : opens it by the public way in and reads it; what it found, in a few words.
    mutate : changes an input by what is known of the format.
    """

    seeds: Callable[[], Mapping[str, bytes]]
    place: Callable[[bytes, Path], Path]
    read: Callable[[Path], str]
    mutate: Mutate


@dataclass(frozen=True)
class Outcome:
    """The outcome of one input.

    Attributes
    ----------
    found : str, optional
        The content that was read; None when the input was refused or failed.
    reason : str, optional
        The reason of the refusal.
    failure : str, optional
        The reason why this is a failure; None when all is well.
    seconds : float
        The time that it took.
    grown : int
        The bytes by which the peak of this process lay above its memory before.
    """

    found: str | None
    reason: str | None
    failure: str | None
    seconds: float
    grown: int


def attempt(target: Target, data: bytes, scratch: Path) -> Outcome:
    """Have a target read an input."""
    found = reason = failure = None
    path = target.place(data, scratch)
    held = _held()
    start = time.monotonic()
    try:
        found = target.read(path)
    except (RefusedFileError, InputError) as error:
        reason = str(error)
    except (Exception, SystemExit) as error:
        failure = _place_of(error)
    seconds = time.monotonic() - start
    grown = max(0, _peak() - held) if held else 0
    if failure is None:
        failure = _unsound(reason, seconds, grown)
    return Outcome(found, reason, failure, seconds, grown)


def _unsound(reason: str | None, seconds: float, grown: int) -> str | None:
    if seconds > LIMITS.seconds + _MARGIN_SECONDS:
        return f"{SLOW}: {seconds:.0f} s"
    if grown > _MOST_GROWN:
        return f"large: {grown >> 20} MiB"
    if reason is not None and (len(reason) > _MOST_REASON or not reason.isprintable()):
        return "reason: it is no line of text"
    return None


def _place_of(error: BaseException) -> str:
    """The kind of an error and the last line of ours that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "ariba_cli" in frame.filename]
    last = (ours or frames)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"


def _held() -> int:
    """Return the bytes that this process holds, and reset its peak; 0 where that is unknown."""
    if sys.platform != "linux":
        return 0
    try:
        with open("/proc/self/clear_refs", "wb") as clear, open("/proc/self/statm", "rb") as statm:
            clear.write(b"5")
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
