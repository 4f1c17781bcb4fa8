"""The command `ariba`: its commands, and the ways in which they end."""

import os
import signal
import sys
from typing import Annotated, NoReturn

import typer

from ariba_cli.base.errors import AribaError
from ariba_cli.base.version import VERSION
from ariba_cli.cli.commands import HELP_OPTIONS, Commands
from ariba_cli.cli.completion import heed_shells
from ariba_cli.cli.console import give_up, say
from ariba_cli.cli.exits import Exit
from ariba_cli.cli.help import ENVIRONMENT, EXIT_CODES
from ariba_cli.native.levels import AUTO, use

# What any usage error is. Typer brings Click's exceptions along without naming this one.
_CommandLineError = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)

app = typer.Typer(
    name="ariba",
    cls=Commands,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=HELP_OPTIONS,
)

# What is said, and the exit code, when a signal ends a command.
_ENDS = {
    signal.SIGINT: ("interrupted", Exit.INTERRUPTED),
    signal.SIGTERM: ("terminated", Exit.TERMINATED),
}


class Stopped(BaseException):
    """The end of a command by a signal, which unwinds so that no file is left half-written.

    It replaces the KeyboardInterrupt of Ctrl-C, too, whose notes Typer drops.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = signal.Signals(number)


@app.callback(invoke_without_command=True, epilog=f"{EXIT_CODES}\n\n{ENVIRONMENT}")
def _ariba(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "-v",
            "--verbose",
            help="With --version: also show the compiled kernels and the sandbox that this machine "
            "offers.",
        ),
    ] = False,
) -> None:
    """Find the participants of a federated-learning round whose updates look backdoored.

    Results go to stdout; messages go to stderr. Run ariba COMMAND --help for the details of a
    command.

    Example: ariba audit round_42/

    Example: ariba audit round_42/ --layer layer3.0.conv1 --k-est 10
    """
    if verbose and not version:
        raise typer.BadParameter("-v goes after the command, or with --version")
    if version:
        typer.echo(f"ariba {VERSION}")
        if verbose:
            from ariba_cli.formats.isolation.walls import probe
            from ariba_cli.native.library import kernels_in_words

            typer.echo(f"native kernels: {kernels_in_words()}")
            typer.echo(f"sandbox: {probe()}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> int:
    """Run the command line, and return the exit code."""
    _heed_signals()
    _open_missing_streams()
    heed_shells()
    try:
        use(os.environ.get("ARIBA_NATIVE", AUTO))
        # In this mode it returns the code of a typer.Exit.
        return app(prog_name="ariba", standalone_mode=False) or Exit.COMPLETED
    except AribaError as error:
        return _fail(_with_notes(str(error), error))
    except SystemExit:
        # How Typer ends when the reader of its help has closed the pipe.
        return Exit.COMPLETED
    except Stopped as stop:
        word, code = _ENDS[stop.number]
        say(sys.stderr, _with_notes(word, stop))
        return code
    except MemoryError as error:
        return _fail(_with_notes("out of memory; the input is too large for this machine", error))
    except OSError as error:
        if error.filename is None:
            give_up(sys.stdout)
        return _fail(_with_notes(f"{error.filename or 'stdout'}: {error.strerror}", error))
    except Exception as error:
        if isinstance(error, _CommandLineError):
            return _fail(_usage(error))
        if os.environ.get("ARIBA_DEBUG"):
            raise
        where = "please report it; ARIBA_DEBUG=1 shows where"
        message = f"unexpected {type(error).__name__}: {error} ({where})"
        return _fail(_with_notes(message, error))


def _heed_signals() -> None:
    for number in _ENDS:
        # A shell starts what runs in the background with SIGINT ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _open_missing_streams() -> None:
    """Replace the streams that were closed before the start, such as by `>&-` or `2>&-`.

    Messages go nowhere then. Data must not: a stdout that cannot be written is an error.
    """
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115


def _fail(message: str) -> int:
    say(sys.stderr, f"error: {' '.join(message.split())}")
    return Exit.COULD_NOT_COMPLETE


def _usage(error: Exception) -> str:
    """Return a usage error in one line, with the help that belongs to it."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "ariba"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return f"{message.rstrip('.')} (see {command} --help)"


def _stop(number: int, _: object) -> NoReturn:
    raise Stopped(number)


def _with_notes(message: str, error: BaseException) -> str:
    """Return a message with the notes of its error, such as that a run can be finished."""
    return "; ".join([message, *getattr(error, "__notes__", [])])
