"""`ariba aggregate`: make the next global model of a round."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ariba_cli.cli import options
from ariba_cli.cli.signals import held_back


class Weighting(StrEnum):
    """How much each participant counts."""

    EQUAL = "equal"
    SAMPLES = "samples"


def aggregate(
    round_path: options.RoundArgument,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="The model file to make.", show_default=False),
    ],
    drop: Annotated[
        Path | None,
        typer.Option(
            metavar="REPORT.json",
            help="Leave out the suspects of this audit report.",
            show_default=False,
        ),
    ] = None,
    weighting: Annotated[
        Weighting,
        typer.Option(
            "--weights",
            help="How much a participant counts: all the same, or by its samples as run.json "
            "has them.",
        ),
    ] = Weighting.EQUAL,
    eta: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            callback=options.finite,
            help="η, the server's learning rate. [default: that of run.json, or 1]",
            show_default=False,
        ),
    ] = None,
    global_path: options.GlobalOption = None,
    color: options.ColorOption = options.Color.AUTO,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Average the updates of a round into the next global model (FedAvg).

    An update that cannot be read, or is not finite, is left out and named. Prints who was
    left out. The model is written as safetensors.

    Example: ariba aggregate runs/demo/attacked --out runs/pruned.safetensors --drop report.json
    """
    with held_back():
        from ariba_cli.aggregating import Aggregation, aggregate_round
        from ariba_cli.reports.suspects import read_suspects
        from ariba_cli.rounds.directory import open_round

    console = options.make_console(color, quiet, verbose)
    round_ = open_round(round_path, global_path=global_path)
    dropped = read_suspects(drop, round_) if drop is not None else ()
    with console.progress() as progress:
        done: Aggregation = aggregate_round(
            round_,
            out,
            dropped=dropped,
            by_samples=weighting is Weighting.SAMPLES,
            eta=eta,
            progress=progress,
        )
    for finding in done.findings:
        console.warn(f"{finding.participant}: {finding.detail}; left out")
    console.note(f"averaged {len(done.averaged)} of {len(round_.participants)}; wrote {out}")
    console.data("".join(f"{name}\n" for name in done.left_out).encode())
