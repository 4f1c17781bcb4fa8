"""Options that several commands share: one definition, one spelling."""

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ariba_cli.cli.console import Console, Environment


def finite(value: float | None) -> float | None:
    """Refuse NaN and infinity, which pass every range."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter("it must be a number")
    return value


class Color(StrEnum):
    """When to use colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


RoundArgument = Annotated[
    Path, typer.Argument(metavar="ROUND", help="The directory of one round.", show_default=False)
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write to FILE, whole or not at all, instead of to stdout.",
        show_default=False,
    ),
]
ReproducibleOption = Annotated[
    bool,
    typer.Option(
        "--reproducible",
        help="Leave time and duration out of the JSON; SOURCE_DATE_EPOCH does the same.",
    ),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Finish what a killed run left in OUT.partial.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Where all randomness comes from.")]
ColorOption = Annotated[Color, typer.Option(help="When to use colour; NO_COLOR is obeyed.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Only errors and warnings on stderr.")
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say on stderr what is being done.")
]


def make_console(color: Color, quiet: bool, verbose: bool) -> Console:
    """The console that the shared options ask for."""
    return Console(Environment.of_process(), color=color, quiet=quiet, verbose=verbose)
