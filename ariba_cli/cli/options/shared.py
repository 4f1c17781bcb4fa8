"""Options that several commands share: one definition, one spelling."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ariba_cli.base.errors import UsageError
from ariba_cli.cli.console import Console, Environment
from ariba_cli.cli.defaults import in_effect
from ariba_cli.files.limits import Limits

if TYPE_CHECKING:
    from ariba_cli.formats.model import ReadOptions
    from ariba_cli.reports.text import Paper

LIMITS = Limits()
# The format of which somebody wants a file with such a name.
_MEANT = {
    ".html": "html",
    ".json": "json",
    ".jsonl": "json",
    ".csv": "csv",
    ".md": "markdown",
    ".sarif": "sarif",
}


def _finite(value: float | None) -> float | None:
    """Refuse NaN and infinity, which pass every range."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter("it must be a number")
    return value


def integer(*names: str, help: str, least: int = 1, metavar: str = "N") -> Any:  # noqa: A002
    """Return an option with a value that is an integer and not below the least.

    Parameters
    ----------
    *names : str
        The names of the option; none for that of its parameter.
    help : str
        What it says in the help.
    least : int, optional
        The least value.
    metavar : str, optional
        What stands for the value in the help.
    """
    return typer.Option(*names, metavar=metavar, min=least, help=help)


def number(
    *,
    help: str,  # noqa: A002
    least: float,
    most: float | None = None,
    metavar: str = "NUMBER",
) -> Any:
    """Return an option with a value that is finite and within bounds; see `integer`."""
    return typer.Option(metavar=metavar, min=least, max=most, callback=_finite, help=help)


class Color(StrEnum):
    """The use of colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Layout(StrEnum):
    """The order of the axes of weights in files."""

    TORCH = "torch"
    KERAS = "keras"
    MLX = "mlx"


RoundArgument = Annotated[Path, typer.Argument(metavar="ROUND", help="The directory of one round.")]
ReportArgument = Annotated[
    Path,
    typer.Argument(metavar="REPORT.json", help="A report of ariba audit -f json."),
]
NamesOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A file with the names of arrays that have none (.npz, .npy, a pickled list): one "
        "name per line, in the order of the model.",
    ),
]
LayoutOption = Annotated[
    Layout | None,
    typer.Option(
        help="The order of the axes in weight tensors: torch (out, in, …), keras (…, in, out; Flax "
        "too), or mlx (out, …, in). [default: by the names and files]",
    ),
]
ByOrderOption = Annotated[
    bool,
    typer.Option(
        "--by-order",
        help="Match tensors by their order and shapes, for participants that use different names.",
    ),
]
GlobalOption = Annotated[
    Path | None,
    typer.Option(
        "--global",
        metavar="PATH",
        help="The model that the server sent out. [default: the file called global in the round]",
    ),
]
StrictOption = Annotated[
    bool,
    typer.Option("--strict", help="Stop with exit code 2 at the first update that cannot be used."),
]
MaxMemoryOption = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="How much memory a layer may take, such as 512MB or 4GiB. A larger layer is read two "
        "or three times, with the same result. [default: a quarter of the machine's memory]",
    ),
]
MaxFileBytesOption = Annotated[
    int,
    integer(metavar="BYTES", help="Refuse model files larger than this, by default 32 GiB."),
]
TimeoutOption = Annotated[
    float,
    number(
        metavar="SECONDS", least=0.001, help="Refuse a file that takes longer than this to parse."
    ),
]
RequireSandboxOption = Annotated[
    bool,
    typer.Option(
        "--require-sandbox",
        help="Stop if this machine cannot sandbox (Landlock and seccomp) the processes that parse "
        "HDF5 and pickles. ariba --version -v shows what it offers.",
    ),
]


def output_file(text: str) -> Path | None:
    """Return the file to write; None for stdout, which `-` names; see `new_file`."""
    return None if text == "-" else new_file(text)


def new_file(text: str) -> Path:
    """Return the file to write.

    Raises
    ------
    UsageError
        When it is a directory, by its name or on disk: before the work, not after it.
    """
    if text.endswith("/") or os.path.isdir(text or "."):
        raise UsageError(f"'{text}' is a directory; name the file to write in it")
    return Path(text)


def check_holds_table(
    output: Path | None, formats: type[StrEnum], others: Mapping[str, str] | None = None
) -> None:
    """Refuse to write a text table to a file whose name promises something else.

    Parameters
    ----------
    output : Path, optional
        The file for the table; None for stdout.
    formats : type of StrEnum
        The formats that the command writes.
    others : dict of str to str, optional
        By the format, what other option writes it.

    Raises
    ------
    UsageError
        When it ends as a page or as data does; says how to write those.
    """
    if output is None:
        return
    meant = _MEANT.get(output.suffix.lower())
    if meant is None:
        return
    how = f"-f {meant} -o" if meant in set(formats) else None
    how = (others or {}).get(meant, how)
    instead = "" if how is None else f"write {how} {output.name}, or "
    raise UsageError(f"'{output.name}' would hold a text table; {instead}name it .txt")


OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        parser=output_file,
        help="Write to FILE instead of stdout, completely or not at all; - is stdout.",
    ),
]
ReproducibleOption = Annotated[
    bool,
    typer.Option(
        "--reproducible",
        help="Omit time and duration from the JSON, as SOURCE_DATE_EPOCH does.",
    ),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Continue a stopped run from OUT.partial.")
]
SeedOption = Annotated[int, integer(least=0, help="The seed of all random numbers.")]
ColorOption = Annotated[
    Color, typer.Option(help="When to use colour; NO_COLOR turns it off, and FORCE_COLOR on.")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only errors and warnings on stderr.")
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Describe each step on stderr.")
]


@dataclass(frozen=True)
class FileLimits:
    """The options for files from others: their limits, and the terms for opening them."""

    max_file_bytes: MaxFileBytesOption = LIMITS.file_bytes
    timeout: TimeoutOption = LIMITS.seconds
    require_sandbox: RequireSandboxOption = False

    def read_options(
        self, names: Path | None, console: Console, *, trust_pickles: bool = False
    ) -> "ReadOptions":
        """Return the terms under which such files are read.

        From now on no other process of the user can read the memory of this one.

        Raises
        ------
        ResourceError
            When a sandbox is required, and this machine gives none.
        """
        from ariba_cli.formats.isolation.parent import Isolation
        from ariba_cli.formats.isolation.walls import hide_memory, probe
        from ariba_cli.formats.model import ReadOptions
        from ariba_cli.rounds.names import read_names

        hide_memory()
        isolation = Isolation(required=self.require_sandbox, warn=console.warn)
        if self.require_sandbox:
            isolation.note(probe())
        limits = replace(LIMITS, file_bytes=self.max_file_bytes, seconds=self.timeout)
        given = None if names is None else read_names(names, limits)
        return ReadOptions(limits, given, trust_pickles, isolation)


@dataclass(frozen=True)
class Messages:
    """The options for the messages on stderr, and for their colours."""

    color: ColorOption = Color.AUTO
    quiet: QuietOption = False
    verbose: VerboseOption = False

    def console(self) -> Console:
        """Return the console with these options."""
        console = Console(
            Environment.of_process(), color=self.color, quiet=self.quiet, verbose=self.verbose
        )
        config = in_effect()
        if config is not None and config.options:
            console.note(f"options from '{config.file}': {', '.join(config.options)}")
        return console


# What a command takes where none of them is given.
FILE_LIMITS = FileLimits()
MESSAGES = Messages()


def paths(*given: Path | None) -> tuple[Path, ...]:
    """Return those that were given."""
    return tuple(path for path in given if path is not None)


def listing(table: "Callable[[Paper], str]") -> Callable[[typer.Context, bool], None]:
    """Return the callback of an option that shows a table and ends the command."""

    def show(context: typer.Context, wanted: bool) -> None:
        # Not while a shell completes what follows.
        if wanted and not context.resilient_parsing:
            console = MESSAGES.console()
            paper = console.paper(for_file=False)
            console.data(paper.encode(table(paper)))
            raise typer.Exit

    return show
