"""`ariba aggregate`: make the next global model of a round."""

import os
from collections.abc import Collection, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ariba_cli.base.errors import UsageError
from ariba_cli.base.interrupts import defer_signals
from ariba_cli.base.suggestions import nearest
from ariba_cli.base.visible import visible
from ariba_cli.cli.options import shared as options
from ariba_cli.cli.options.groups import grouped

if TYPE_CHECKING:
    from ariba_cli.aggregation.aggregate import Aggregation
    from ariba_cli.rounds.directory import Round
    from ariba_cli.runs.run_file import Run


class Weighting(StrEnum):
    """How much each participant counts."""

    EQUAL = "equal"
    SAMPLES = "samples"


@grouped
def aggregate(
    round_path: options.RoundArgument,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE",
            parser=options.new_file,
            help="The model file to make.",
            show_default=False,
        ),
    ],
    drop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID|REPORT.json",
            help="Leave out this participant, or those whom this report of ariba audit -f json "
            "names. What names a file is a report. Repeatable.",
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
    files: options.FileLimits = options.FILE_LIMITS,
    messages: options.Messages = options.MESSAGES,
) -> None:
    """Average the updates of a round into the next global model (FedAvg).

    Writes θ + η Σ w_i (θ_i − θ) as safetensors; without a global model the mean of the
    weights. An update that cannot be used as a whole, or is not finite, is left out. Prints
    who was left out, a line for each with a tab and why: named, for those whom a report names,
    dropped, or the kind of finding.

    Example: ariba audit runs/demo/attacked -f json -o report.json

    Example: ariba aggregate runs/demo/attacked --drop report.json
    --out runs/demo/pruned.safetensors
    """
    with defer_signals():
        from ariba_cli.aggregation.aggregate import aggregate_round
        from ariba_cli.replay.suspects import read_suspects
        from ariba_cli.reports.finding_words import findings_in_words
        from ariba_cli.rounds.directory import open_round

    console = messages.console()
    terms = files.read_options(names, console)
    reports = [Path(one) for one in drop or () if os.path.lexists(one)]
    named = [one for one in drop or () if not os.path.lexists(one)]
    round_ = open_round(
        round_path, terms, global_path=global_model, not_models=options.paths(names, *reports)
    )
    _check_named(named, round_)
    by_samples = weighting is Weighting.SAMPLES
    run = _run(round_path, needed=by_samples) if eta is None or by_samples else None
    if eta is None:
        eta = 1.0 if run is None else run.settings.eta
    suspects = [name for path in reports for name in read_suspects(path, round_)]
    with console.progress() as progress:
        done = aggregate_round(
            round_,
            out,
            eta=eta,
            samples=run.samples if run is not None and by_samples else None,
            dropped=tuple(dict.fromkeys([*named, *suspects])),
            strict=strict,
            progress=progress,
        )
    for line in findings_in_words([*round_.findings, *done.findings], str):
        console.warn(line)
    if done.kept:
        console.note(f"as in the global model: {', '.join(done.kept)}")
    console.note(
        f"averaged {len(done.averaged)} of {len(round_.participants)} with eta {eta:g}; wrote {out}"
    )
    console.data(_left_out(done, suspects))


def _run(round_path: Path, *, needed: bool) -> "Run | None":
    """What the run.json beside the round says; None when there is none and none is needed."""
    from ariba_cli.runs.run_file import path_beside, read_run_at

    path = path_beside(round_path)
    if not needed and not os.path.lexists(path):
        return None
    to_know = "how many samples each participant holds" if needed else "eta, unless --eta says it"
    return read_run_at(path, to_know=to_know)


def _check_named(named: Sequence[str], round_: "Round") -> None:
    """Raise UsageError when somebody is to be dropped who is neither there nor a report."""
    ids = [member.id for member in round_.participants]
    for name in named:
        if name not in ids:
            near = nearest(name, ids)
            hint = "" if near is None else f"; did you mean '{near}'?"
            raise UsageError(
                f"--drop '{name}' is neither a participant of the round nor a report{hint}"
            )


def _left_out(done: "Aggregation", named: Collection[str]) -> bytes:
    """Return who was left out and why, those who were dropped first."""
    reasons = {name: "named" if name in named else "dropped" for name in done.dropped}
    reasons |= {str(one.participant): one.kind.value for one in done.findings}
    return "".join(f"{visible(name)}\t{why}\n" for name, why in reasons.items()).encode()
