"""`ariba convert`: write any directory of updates as a sealed round."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ariba_cli.base.interrupts import defer_signals
from ariba_cli.cli.options import shared as options
from ariba_cli.cli.options.groups import grouped


class Kind(StrEnum):
    """The content of participants' updates."""

    WEIGHTS = "weights"
    DIFFERENCE = "difference"


@grouped
def convert(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SRC",
            help="The directory with the updates of a round, or an HDF5 file that holds them all.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="The directory for the sealed round."),
    ],
    trust_pickles: Annotated[
        bool,
        typer.Option(
            "--trust-pickles",
            # To be said each time: no variable that somebody set once may say it.
            allow_from_autoenv=False,
            help="Also open PyTorch files (.pt, .pth, .bin, .ckpt) and other pickles, in a limited "
            "process that imports nothing they name. Use this only for files from people whom "
            "you trust.",
        ),
    ] = False,
    names: options.NamesOption = None,
    global_model: options.GlobalOption = None,
    kind: Annotated[
        Kind,
        typer.Option(
            help="What the participants sent: weights, or differences to the global "
            "model. A sealed round says which."
        ),
    ] = Kind.WEIGHTS,
    strict: options.StrictOption = False,
    resume: options.ResumeOption = False,
    files: options.FileLimits = options.FILE_LIMITS,
    messages: options.Messages = options.MESSAGES,
) -> None:
    """Rewrite a directory of updates as a sealed round of safetensors files.

    Every tensor keeps its name, its type and its bits, so that an audit gives the same scores. The
    round's conversion.json lists the files that it was made from. The command prints the directory
    of the round.

    Example: ariba convert server/round_7 --out round_0007 --names layers.txt
    """
    with defer_signals():
        from ariba_cli.files.objects import located
        from ariba_cli.files.partial import check_free
        from ariba_cli.reports.finding_words import findings_in_words
        from ariba_cli.rounds.conversion import convert as run_conversion
        from ariba_cli.rounds.directory import open_round

    console = messages.console()
    out = located(out)
    check_free(out)
    terms = files.read_options(names, console, trust_pickles=trust_pickles)
    round_ = open_round(source, terms, global_path=global_model, not_models=options.paths(names))
    round_.check_apart(out)
    with console.progress() as progress:
        done = run_conversion(
            round_, out, kind=kind.value, strict=strict, resume=resume, progress=progress
        )
    for line in findings_in_words((*done.refused, *done.findings), str):
        console.warn(line)
    console.note(f"{len(done.participants)} converted, {len(done.refused)} refused")
    console.data(f"{out}\n".encode("utf-8", "surrogateescape"))
