"""The streams: data to stdout as bytes, everything else to stderr, in every mode."""

import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from ariba_cli.base.errors import OutputError
from ariba_cli.base.progress import Progress, no_progress
from ariba_cli.base.visible import visible
from ariba_cli.reports.text import Paper

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_PIPE_WIDTH = 100
_SECONDS_BEFORE_PROGRESS = 1.0


@dataclass(frozen=True)
class Environment:
    """The environment of a command: its streams and its variables."""

    stdout: TextIO
    stderr: TextIO
    variables: Mapping[str, str]

    @classmethod
    def of_process(cls) -> Self:
        """Return the environment of this process."""
        return cls(sys.stdout, sys.stderr, os.environ)


class Console:
    """The output of a command: data and messages.

    Parameters
    ----------
    environment : Environment
        The streams.
    color : str
        `auto`, `always` or `never`; `auto` obeys `NO_COLOR`, and then `FORCE_COLOR`.
    quiet : bool
        True to write nothing to stderr but errors and warnings.
    verbose : bool
        True to report the steps of the work on stderr.
    """

    def __init__(self, environment: Environment, *, color: str, quiet: bool, verbose: bool) -> None:
        self._environment = environment
        self._color = color
        self._quiet = quiet
        self._verbose = verbose
        self._bar: _RichBar | None = None

    def data(self, data: bytes) -> bool:
        """Write data to stdout.

        Returns
        -------
        bool
            False if the reader has closed the pipe and wants no more.
        """
        self._hide_bar()
        stdout = self._environment.stdout
        try:
            stdout.buffer.write(data)
            stdout.buffer.flush()
        except OSError as error:
            give_up(stdout)
            if not isinstance(error, BrokenPipeError):
                raise OutputError(f"stdout cannot be written: {error.strerror}") from error
            return False
        return True

    def note(self, message: str) -> None:
        """Write a message that is not data."""
        if not self._quiet:
            self._say(message)

    def detail(self, message: str) -> None:
        """Report a step of the work, if that was asked for."""
        if self._verbose:
            self._say(message)

    def warn(self, message: str) -> None:
        """Write a warning that a user should know before using the data."""
        self._say(f"warning: {message}")

    def error(self, message: str) -> None:
        """Report an error after which other work goes on."""
        self._say(f"error: {message}")

    @property
    def on_terminal(self) -> bool:
        """Return True if stdout is a terminal."""
        return self._environment.stdout.isatty()

    def paper(self, *, for_file: bool) -> Paper:
        """Return the paper for tables: of the width of the terminal, or for a file or pipe."""
        stdout = self._environment.stdout
        terminal = self.on_terminal and not for_file
        return Paper(
            width=shutil.get_terminal_size().columns if terminal else _PIPE_WIDTH,
            color=self._wants_color(terminal=terminal, for_file=for_file),
            encoding="utf-8" if for_file else stdout.encoding or "utf-8",
        )

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Show a progress bar on stderr, if it is a terminal, for work that takes over a second.

        It makes way for all other messages.
        """
        if self._quiet or not self._environment.stderr.isatty():
            yield no_progress
            return
        color = self._wants_color(terminal=True)
        with _RichBar(self._environment.stderr, color=color) as self._bar:
            yield self._bar
        self._bar = None

    def _hide_bar(self) -> None:
        if self._bar is not None:
            self._bar.hide()

    def _wants_color(self, *, terminal: bool, for_file: bool = False) -> bool:
        if self._color != "auto":
            return self._color == "always"
        variables = self._environment.variables
        forced = bool(variables.get("FORCE_COLOR")) and not for_file
        return (terminal or forced) and not variables.get("NO_COLOR")

    def _say(self, message: str) -> None:
        self._hide_bar()
        say(self._environment.stderr, message)


def say(stream: TextIO, message: str) -> None:
    """Write one line, without any control sequence that a terminal would obey."""
    encoding = stream.encoding or "utf-8"
    shown = visible(message).encode(encoding, "backslashreplace").decode(encoding)
    try:
        print(shown, file=stream, flush=True)
    except OSError:
        # Nobody can be told that nobody can be told.
        give_up(stream)


def give_up(stream: TextIO) -> None:
    """Redirect to nowhere the data that Python would still flush when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _RichBar:
    def __init__(self, stream: TextIO, *, color: bool) -> None:
        self._stream = stream
        self._color = color
        self._started = time.monotonic()
        self._progress: RichProgress | None = None
        self._task: TaskID | None = None
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.hide()

    def hide(self) -> None:
        """Remove the bar from the screen until there is more progress."""
        if self._progress is not None:
            self._progress.stop()
            self._shown = False

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._progress is None:
            if time.monotonic() - self._started < _SECONDS_BEFORE_PROGRESS:
                return
            self._progress = self._make()
        if not self._shown:
            self._progress.start()
            self._shown = True
        if self._task is None:
            self._task = self._progress.add_task(visible(what), total=total)
        self._progress.update(self._task, description=visible(what), completed=done, total=total)

    def _make(self) -> "RichProgress":
        from rich.console import Console as RichConsole
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress

        return RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=RichConsole(file=self._stream, markup=False, no_color=not self._color),
            transient=True,
        )
