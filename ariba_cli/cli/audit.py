"""`ariba audit`: rank the participants of a round."""

import re
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ariba_cli.cli import detectors, options
from ariba_cli.cli.exits import Exit
from ariba_cli.cli.signals import held_back
from ariba_cli.errors import UsageError

if TYPE_CHECKING:
    from ariba_cli.audit import KEst
    from ariba_cli.cli.console import Console
    from ariba_cli.cli.output import Stopwatch
    from ariba_cli.verdict import Verdict


class AuditFormat(StrEnum):
    """How the verdict is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def audit(
    round_path: options.RoundArgument,
    layer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The layer to examine, as layer3.0.conv1. [default: the middle convolution]",
            show_default=False,
        ),
    ] = None,
    k_est: Annotated[
        str,
        typer.Option(
            metavar="N|P%",
            help="How many suspects to name: a generous estimate of how many participants "
            "are compromised, as a number or a percentage (rounded up).",
        ),
    ] = "20%",
    fragment: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="How to cut the layer: kernel, filter, row, or block:D for D values. "
            "[default: kernel for convolutions, else row]",
            show_default=False,
        ),
    ] = None,
    detector: detectors.DetectorOption = "mahalanobis",
    detector_arg: detectors.DetectorArgOption = None,
    fit_sample: detectors.FitSampleOption = None,
    _list_detectors: detectors.ListDetectorsOption = False,
    format_: Annotated[
        AuditFormat,
        typer.Option(
            "--format", "-f", envvar="ARIBA_AUDIT_FORMAT", help="How to write the verdict."
        ),
    ] = AuditFormat.TABLE,
    output: options.OutputOption = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="Exit with 1 when it holds: share>=X, refused (also for a layer that is missing "
            "or unlike the others'), nonfinite, duplicate or unsealed (no seal, or a broken one). "
            "Repeatable.",
            show_default=False,
        ),
    ] = None,
    names: options.NamesOption = None,
    global_model: options.GlobalOption = None,
    verify_seal: Annotated[
        bool,
        typer.Option("--verify-seal", help="Hash every file that the seal lists."),
    ] = False,
    strict: options.StrictOption = False,
    max_file_bytes: options.MaxFileBytesOption = options.LIMITS.file_bytes,
    timeout: options.TimeoutOption = options.LIMITS.seconds,
    truth: Annotated[
        bool,
        typer.Option("--truth", help="Measure the verdict against truth.json (simulated rounds)."),
    ] = False,
    reproducible: options.ReproducibleOption = False,
    color: options.ColorOption = options.Color.AUTO,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Rank the participants of a round by how backdoored their updates look.

    k_est participants are named as suspects in every round, also in a clean one: the
    shares say how much stands behind it, and only the examined layer speaks. An HDF5 file
    with a group per participant can stand for the directory.

    Example: ariba audit runs/demo/attacked --layer conv2 --k-est 10
    """
    with held_back():
        from ariba_cli.audit import AuditSettings
        from ariba_cli.audit import audit as run_audit
        from ariba_cli.cli.conditions import parse_condition
        from ariba_cli.cli.output import Stopwatch, deliver
        from ariba_cli.detectors import make_detector
        from ariba_cli.evaluation import evaluate
        from ariba_cli.rounds.directory import open_round
        from ariba_cli.rounds.truth import read_truth

    stopwatch = Stopwatch()
    console = options.make_console(color, quiet, verbose)
    conditions = [parse_condition(text) for text in fail_on or ()]
    arguments = detectors.parse_arguments(detector_arg or ())
    with held_back():
        chosen = make_detector(detector, arguments, fit_sample)
    settings = AuditSettings(
        layer=layer,
        fragment=fragment,
        k_est=parse_k_est(k_est),
        detector=chosen,
        verify_seal=verify_seal,
        strict=strict,
    )
    terms = options.make_terms(max_file_bytes, timeout, names)
    round_ = open_round(
        round_path, terms, global_path=global_model, not_models=options.paths(names)
    )
    known = read_truth(round_path) if truth else None
    with console.progress() as progress:
        verdict = run_audit(round_, settings, progress)
    if known is not None:
        verdict = replace(verdict, evaluation=evaluate(verdict, known.compromised))
    _describe(verdict, console)
    deliver(_encode(verdict, format_, stopwatch, reproducible, output, console), output, console)
    holding = [condition.text for condition in conditions if condition.holds(verdict)]
    if holding:
        console.note(f"condition holds: {', '.join(holding)}")
        raise typer.Exit(Exit.CONDITION_HOLDS)


def parse_k_est(text: str) -> "KEst":
    """`10` or `20%`.

    Raises
    ------
    UsageError
        When it is neither.
    """
    from fractions import Fraction

    from ariba_cli.audit import KEst

    if re.fullmatch(r"[0-9]{1,9}", text):
        return KEst(number=int(text))
    if re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,9})?%", text):
        return KEst(percent=Fraction(text.removesuffix("%")))
    raise UsageError(f"'{text}' is no k_est; write a number, as 10, or a percentage, as 20%")


def _describe(verdict: "Verdict", console: "Console") -> None:
    from ariba_cli.reports.words import cut_in_words

    layer = verdict.layers[0]
    console.detail(
        f"examined {layer.layer} of {layer.participants} participants: "
        f"{layer.fragments * layer.participants:,} fragments of {layer.dimension} values, "
        f"{layer.marked:,} marked from {cut_in_words(verdict)} {layer.cut_distance:.6g}"
    )


def _encode(
    verdict: "Verdict",
    format_: AuditFormat,
    stopwatch: "Stopwatch",
    reproducible: bool,
    output: Path | None,
    console: "Console",
) -> bytes:
    if format_ is AuditFormat.JSON:
        from ariba_cli.reports.audit_json import audit_json

        return audit_json(verdict, stopwatch.record(reproducible=reproducible))
    if format_ is AuditFormat.CSV:
        from ariba_cli.reports.audit_csv import audit_csv
        from ariba_cli.reports.words import coverage_in_words, finding_in_words

        # A table of numbers has no place for what is wrong with them.
        for finding in verdict.findings:
            console.warn(finding_in_words(finding))
        console.note(f"coverage: {coverage_in_words(verdict)}")
        return audit_csv(verdict)
    from ariba_cli.reports.audit_table import audit_table

    paper = console.paper(for_file=output is not None)
    return paper.encode(audit_table(verdict, paper))
