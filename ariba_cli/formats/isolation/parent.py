"""The side that asks: it has a child for each file, waits for it no longer than it may take."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import cached_property
from typing import Any

from ariba_cli.base.errors import RefusedFileError, ResourceError
from ariba_cli.base.progress import no_message
from ariba_cli.files.clock import Clock, check_time, no_turn, seconds_left, took_too_long
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import OpenFile
from ariba_cli.formats.isolation import messages
from ariba_cli.formats.isolation.processes import Child, Nursery, Subject, Wire
from ariba_cli.formats.isolation.walls import Walls


class _CrashError(RefusedFileError):
    """The child is gone, or says what no sound child says."""


class Isolation:
    """The processes in which files are parsed, and what is known of the walls around them.

    Parameters
    ----------
    required : whether to parse nothing there without walls.
    warn : told, once, when they do not hold.
    """

    def __init__(self, *, required: bool = False, warn: Callable[[str], None] = no_message) -> None:
        self._required = required
        self._warn = warn
        self.clock = Clock()
        self.walls: Walls | None = None

    @cached_property
    def hdf5(self) -> "Parser":
        """What parses HDF5."""
        return Parser("hdf5", self)

    @cached_property
    def pickles(self) -> "Parser":
        """What unpickles."""
        return Parser("pickles", self)

    @property
    def record(self) -> dict[str, int | bool] | None:
        """The walls, for the record of a run; None where there was nothing to put behind them."""
        return None if self.walls is None else asdict(self.walls)

    def note(self, walls: Walls) -> None:
        """Hear which walls hold, of those who have taken them or tried to.

        Raises
        ------
        ResourceError
            When some are missing, and are required.
        """
        if walls.missing and self._required:
            raise ResourceError(
                f"this machine gives the sandbox no {walls.missing}; run where it does, or leave "
                "--require-sandbox out"
            )
        if walls.missing and walls != self.walls:
            self._warn(
                f"files are parsed without {walls.missing}, which this machine does not give; "
                "--require-sandbox refuses that"
            )
        self.walls = walls


class Parser:
    """Parses what one library reads, in a fresh process for each file, or each group of one.

    All of them are forked by one process that has loaded the library and reads no file. It is
    started when it is first needed, and ended with this object.

    Parameters
    ----------
    library : the module of this folder that answers, `hdf5` or `pickles`.
    """

    def __init__(self, library: str, isolation: Isolation) -> None:
        self._library = library
        self._isolation = isolation
        self._nursery: Nursery | None = None
        self._child: Child | None = None
        self._lock = threading.Lock()

    def ask(
        self, file: OpenFile, question: str, *, into: memoryview | None = None, **arguments: Any
    ) -> Any:
        """What a child says of an open file.

        Parameters
        ----------
        into : what is filled with the bytes that belong to the answer.

        Raises
        ------
        RefusedFileError
            When it refuses the file, takes too long, or comes to grief over it.
        ResourceError
            When there can be no child.
        """
        subject = Subject((file.path, arguments.get("group", "/")), file.stamp)
        request = {"question": question, "arguments": arguments}
        with self._lock, self._isolation.clock.turn(subject.part, file.limits.seconds):
            check_time()
            reused = self._child is not None and self._child.subject == subject
            try:
                return self._ask(subject, file, request, into)
            except _CrashError:
                if not reused:
                    raise
                # It may have been ended by somebody else while it waited.
                return self._ask(subject, file, request, into)

    def _ask(
        self, subject: Subject, file: OpenFile, request: dict[str, Any], into: memoryview | None
    ) -> Any:
        if self._child is None or self._child.subject != subject:
            self._start(subject, file)
        with self._watched(file.limits) as wire:
            messages.send(wire.connection, request)
            answer = wire.reply("answer")
            while into:
                size = _count(wire.reply("bytes"), len(into))
                wire.fill(into[:size])
                into = into[size:]
            return answer

    def _start(self, subject: Subject, file: OpenFile) -> None:
        """Have a child for a file, in place of the one before."""
        seconds = seconds_left()
        with no_turn():
            try:
                self._child = self._begun(subject, file, seconds)
                self._isolation.note(self._child.walls)
            except BaseException:
                self._end()
                raise

    def _begun(self, subject: Subject, file: OpenFile, seconds: float) -> Child:
        self._let_go()
        if self._nursery is not None:
            # Somebody else may have ended it while it waited.
            with suppress(ResourceError):
                return self._nursery.start(subject, file, seconds)
        self._nursery = Nursery(self._library)
        return self._nursery.start(subject, file, seconds)

    @contextmanager
    def _watched(self, limits: Limits) -> Iterator[Wire]:
        """The connection, and an end to the child whenever something goes wrong with it."""
        assert self._child is not None
        try:
            yield Wire(self._child.connection, limits.header_bytes, seconds_left())
        except RefusedFileError:
            raise
        except TimeoutError:
            self._stop()
            raise took_too_long() from None
        except (OSError, EOFError):
            raise _CrashError(_what_happened(self._stop())) from None
        except (ValueError, KeyError, RecursionError):
            self._stop()
            raise _CrashError("makes the process that parses it say what it never says") from None
        except BaseException:
            self._end()
            raise

    def _stop(self) -> int | None:
        """End the child; returns how it came to its end, as far as that is known."""
        assert self._nursery is not None
        self._let_go()
        try:
            return self._nursery.end()
        except ResourceError:
            self._end()
            return None

    def _end(self) -> None:
        """End the process that forks children, which ends them."""
        self._let_go()
        if self._nursery is not None:
            self._nursery.close()
            self._nursery = None

    def _let_go(self) -> None:
        """Take the connection away, on which a sound child goes."""
        if self._child is not None:
            self._child.connection.close()
            self._child = None


def _count(announced: object, most: int) -> int:
    if type(announced) is not int or not 0 < announced <= most:
        raise ValueError(announced)
    return announced


def _what_happened(code: int | None) -> str:
    if code == -signal.SIGXCPU:
        return "takes more of the processor's time than --timeout, or ulimit -t, allows"
    if code is None or code >= 0:
        return f"stopped the process that parses it (exit code {code})"
    known = {number.value: number.name for number in signal.Signals}
    return f"crashed the process that parses it ({known.get(-code, f'signal {-code}')})"
