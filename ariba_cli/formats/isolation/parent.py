"""The side that asks: it starts a child for each file, and waits for it no longer than allowed."""

import resource
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from ariba_cli.base.errors import RefusedFileError, ResourceError
from ariba_cli.base.progress import no_message
from ariba_cli.files.clock import Clock, check_time, no_turn, seconds_left, took_too_long
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import OpenFile, RemoteFile, Stamp
from ariba_cli.formats.isolation import messages
from ariba_cli.formats.isolation.processes import Child, Nursery, Wire
from ariba_cli.formats.isolation.walls import Walls

# Each takes a few megabytes; where they run out, one is forked for every layer.
_MOST_CHILDREN = 32
_FILES_FOR_EACH = 8


class _CrashError(RefusedFileError):
    """A child that is gone, or that sends what no sound child sends."""


class Isolation:
    """The processes in which files are parsed, and the state of the walls around them.

    Parameters
    ----------
    required : bool
        True to parse nothing there without walls.
    warn : callable
        A function that receives a warning when some walls do not hold.
    """

    def __init__(self, *, required: bool = False, warn: Callable[[str], None] = no_message) -> None:
        self._required = required
        self._warn = warn
        self.clock = Clock()
        self.walls: Walls | None = None

    @cached_property
    def hdf5(self) -> "Parser":
        """Return the parser of HDF5."""
        return Parser("hdf5", self, most=_most_children())

    @cached_property
    def pickles(self) -> "Parser":
        """Return the parser of pickles."""
        return Parser("pickles", self)

    @property
    def record(self) -> dict[str, int | bool] | None:
        """Return the walls, for the record of a run; None if no parser was started."""
        return None if self.walls is None else asdict(self.walls)

    def note(self, walls: Walls) -> None:
        """Take note of the walls that hold around a child, and warn of missing ones.

        Raises
        ------
        ResourceError
            When some are missing, and are required.
        """
        if walls.missing and self._required:
            raise ResourceError(
                f"this machine lacks {walls.missing}, which the sandbox needs; use another "
                "machine, or leave out --require-sandbox"
            )
        if walls.missing and walls != self.walls:
            self._warn(
                f"this machine lacks {walls.missing}, so the sandbox that parses files is weaker; "
                "--require-sandbox refuses to go on"
            )
        self.walls = walls


class _Subject(NamedTuple):
    """The file that a child parses, or a participant's group in a file for the whole round."""

    part: tuple[Path, str]
    stamp: Stamp


class Parser:
    """A parser of one library's files, with a fresh process for each file, or each group of one.

    All children are forked by one process that has loaded the library and reads no file. It is
    started when it is first needed, and ended with this object. Children that have unpacked values
    are kept for the next layer, up to `most` of them; others make way for the next.

    Parameters
    ----------
    library : str
        The module of this folder that answers, `hdf5` or `pickles`.
    isolation : Isolation
        The owner of the parser, which learns about the walls.
    most : int
        The most children at a time.
    """

    def __init__(self, library: str, isolation: Isolation, *, most: int = 1) -> None:
        self._library = library
        self._isolation = isolation
        self._most = most
        self._nursery: Nursery | None = None
        # In the order in which they were started.
        self._children: dict[_Subject, Child] = {}
        self._unpacking: set[_Subject] = set()
        self._lock = threading.Lock()

    def ask(
        self, file: OpenFile, question: str, *, into: memoryview | None = None, **arguments: Any
    ) -> Any:
        """Return a child's answer to a question about an open file.

        Parameters
        ----------
        file : OpenFile
            The file.
        question : str
            The name of the question.
        into : memoryview, optional
            A buffer for the bytes that belong to the answer.
        **arguments : Any
            The arguments of the question.

        Raises
        ------
        RefusedFileError
            When the child refuses the file, takes too long, or crashes.
        ResourceError
            When no child can be started.
        """
        if isinstance(file, RemoteFile):
            raise RefusedFileError(
                "is in a format that is parsed in a sandbox, which cannot read object stores; copy "
                "the round to this machine first"
            )
        subject = _Subject((file.path, arguments.get("group", "/")), file.stamp)
        request = {"question": question, "arguments": arguments}
        with self._lock, self._isolation.clock.turn(subject.part, file.limits.seconds):
            check_time()
            reused = subject in self._children
            try:
                return self._ask(subject, file, request, into)
            except _CrashError:
                if not reused:
                    raise
                # It may have been ended by somebody else while it waited.
                return self._ask(subject, file, request, into)

    def _ask(
        self, subject: _Subject, file: OpenFile, request: dict[str, Any], into: memoryview | None
    ) -> Any:
        if subject not in self._children:
            self._start(subject, file)
        if into is not None:
            self._unpacking.add(subject)
        with self._watched(subject, file.limits) as wire:
            messages.send(wire.connection, request)
            answer = wire.reply("answer")
            while into:
                size = _count(wire.reply("bytes"), len(into))
                wire.fill(into[:size])
                into = into[size:]
            return answer

    def _start(self, subject: _Subject, file: OpenFile) -> None:
        """Start a child for a file."""
        seconds = seconds_left()
        with no_turn():
            try:
                child = self._begun(file, seconds)
                self._children[subject] = child
                self._isolation.note(child.walls)
            except BaseException:
                self._end()
                raise

    def _begun(self, file: OpenFile, seconds: float) -> Child:
        last = next(reversed(self._children), None)
        instead_of = None
        if last is not None and (last not in self._unpacking or len(self._children) >= self._most):
            # Files come round and round: those that were first are kept.
            instead_of = self._let_go(last)
        if self._nursery is not None:
            # Somebody else may have ended it while it waited.
            with suppress(ResourceError):
                return self._nursery.start(file, seconds, instead_of)
        self._end()
        self._nursery = Nursery(self._library)
        return self._nursery.start(file, seconds)

    @contextmanager
    def _watched(self, subject: _Subject, limits: Limits) -> Iterator[Wire]:
        """Provide the connection to a child, and end the child when anything goes wrong."""
        try:
            connection = self._children[subject].connection
            yield Wire(connection, limits.header_bytes, seconds_left())
        except RefusedFileError:
            # It may be asked for again, with other limits.
            self._stop(subject)
            raise
        except TimeoutError:
            self._stop(subject)
            raise took_too_long() from None
        except (OSError, EOFError):
            raise _CrashError(_what_happened(self._stop(subject))) from None
        except (ValueError, KeyError, RecursionError):
            self._stop(subject)
            raise _CrashError("makes the process that parses it send nonsense") from None
        except BaseException:
            self._end()
            raise

    def _stop(self, subject: _Subject) -> int | None:
        """End a child, and return its exit status, as far as that is known."""
        assert self._nursery is not None
        try:
            return self._nursery.end(self._let_go(subject))
        except ResourceError:
            self._end()
            return None

    def _end(self) -> None:
        """End the process that forks children, which ends them."""
        for subject in list(self._children):
            self._let_go(subject)
        if self._nursery is not None:
            self._nursery.close()
            self._nursery = None

    def _let_go(self, subject: _Subject) -> Child:
        """Close the connection to a child, which makes a sound one exit."""
        self._unpacking.discard(subject)
        child = self._children.pop(subject)
        child.connection.close()
        return child


def _most_children() -> int:
    """Return the most children at a time: each is a file that is open."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        return _MOST_CHILDREN
    return max(1, min(_MOST_CHILDREN, files // _FILES_FOR_EACH))


def _count(announced: object, most: int) -> int:
    if type(announced) is not int or not 0 < announced <= most:
        raise ValueError(announced)
    return announced


def _what_happened(code: int | None) -> str:
    if code == -signal.SIGXCPU:
        return "takes more processor time than --timeout, or ulimit -t, allows"
    if code is None or code >= 0:
        return f"stopped the process that parses it (exit code {code})"
    known = {number.value: number.name for number in signal.Signals}
    return f"crashed the process that parses it ({known.get(-code, f'signal {-code}')})"
