"""`ariba aggregate`: make the next global model of a round."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ariba_cli.base.interrupts import defer_signals
from ariba_cli.base.visible import visible
from ariba_cli.cli.options import shared as options

if TYPE_CHECKING:
    from ariba_cli.aggregation.aggregate import Aggregation
    from ariba_cli.runs.run_file import Run


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
            help="Leave out the suspects of this report of ariba audit -f json.",
            show_default=False,
        ),
    ] = None,
    weighting: Annotated[
        Weighting,
        typer.Option(
            "--weights",
            envvar="ARIBA_AGGREGATE_WEIGHTS",
            help="How much a participant counts: all the same, or by its samples as the run.json "
            "beside the round has them.",
        ),
    ] = Weighting.EQUAL,
    eta: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            min=0.001,
            callback=options.finite,
            help="η, the server's learning rate. [default: that of the run.json beside the "
            "round, or 1]",
            show_default=False,
        ),
    ] = None,
    names: options.NamesOption = None,
    global_model: options.GlobalOption = None,
    strict: options.StrictOption = False,
    max_file_bytes: options.MaxFileBytesOption = options.LIMITS.file_bytes,
    timeout: options.TimeoutOption = options.LIMITS.seconds,
    color: options.ColorOption = options.Color.AUTO,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Average the updates of a round into the next global model (FedAvg).

    Writes θ + η Σ w_i (θ_i − θ) as safetensors; without a global model the mean of the
    weights. An update that cannot be used as a whole, or is not finite, is left out. Prints
    who was left out, a line for each with a tab and why: suspect, or the kind of finding.

    Example: ariba audit runs/demo/attacked -f json -o report.json

    Example: ariba aggregate runs/demo/attacked --drop report.json
    --out runs/demo/pruned.safetensors
    """
    with defer_signals():
        from ariba_cli.aggregation.aggregate import aggregate_round
        from ariba_cli.replay.suspects import read_suspects
        from ariba_cli.reports.words import finding_in_words
        from ariba_cli.rounds.directory import open_round

    console = options.make_console(color, quiet, verbose)
    terms = options.make_terms(max_file_bytes, timeout, names)
    round_ = open_round(
        round_path, terms, global_path=global_model, not_models=options.paths(names, drop)
    )
    by_samples = weighting is Weighting.SAMPLES
    run = _run(round_path, needed=by_samples) if eta is None or by_samples else None
    if eta is None:
        eta = 1.0 if run is None else run.settings.eta
    dropped = read_suspects(drop, round_) if drop is not None else ()
    with console.progress() as progress:
        done = aggregate_round(
            round_,
            out,
            eta=eta,
            samples=run.samples if run is not None and by_samples else None,
            dropped=dropped,
            strict=strict,
            progress=progress,
        )
    for finding in (*round_.findings, *done.findings):
        console.warn(finding_in_words(finding, str))
    if done.kept:
        console.note(f"as in the global model: {', '.join(done.kept)}")
    console.note(
        f"averaged {len(done.averaged)} of {len(round_.participants)} with eta {eta:g}; wrote {out}"
    )
    console.data(_left_out(done))


def _run(round_path: Path, *, needed: bool) -> "Run | None":
    """What the run.json beside the round says; None when there is none and none is needed."""
    from ariba_cli.runs.run_file import path_beside, read_run_at

    path = path_beside(round_path)
    if not needed and not os.path.lexists(path):
        return None
    to_know = "how many samples each participant holds" if needed else "eta, unless --eta says it"
    return read_run_at(path, to_know=to_know)


def _left_out(done: "Aggregation") -> bytes:
    """Who was left out and why, those who were dropped first."""
    reasons = dict.fromkeys(done.dropped, "suspect")
    reasons |= {str(one.participant): one.kind.value for one in done.findings}
    return "".join(f"{visible(name)}\t{why}\n" for name, why in reasons.items()).encode()
