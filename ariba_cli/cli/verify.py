"""`ariba verify`: audit a round again, and hold it against its report."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from ariba_cli.base.errors import InputError
from ariba_cli.base.interrupts import defer_signals
from ariba_cli.base.visible import visible
from ariba_cli.cli.audit import parse_bytes
from ariba_cli.cli.exits import Exit
from ariba_cli.cli.options import shared as options
from ariba_cli.cli.options.groups import grouped

if TYPE_CHECKING:
    from ariba_cli.replay.verify import Verification
    from ariba_cli.reports.canonical import RunRecord
    from ariba_cli.reports.report import Report

# Of each kind of difference.
_MOST_LINES = 20


@grouped
def verify(
    report_path: options.ReportArgument,
    round_path: options.RoundArgument,
    names: options.NamesOption = None,
    global_model: options.GlobalOption = None,
    max_memory: options.MaxMemoryOption = None,
    files: options.FileLimits = options.FILE_LIMITS,
    messages: options.Messages = options.MESSAGES,
) -> None:
    """Audit a round again as its report says it was, and compare.

    Hashes every input again, whole where the report has the hash of the whole file: that of
    a sealed round. Then audits with the layers, the fragment, the detectors, and the level
    or k_est of the report, and compares result_sha256. Prints what is different, a line each:
    first the inputs, then ranks and scores, then the rest. Evidence for pictures is not
    gathered again.

    Exit codes: 0 everything is the same; 1 something is different; 2 it could not be told: an
    input is missing, or the report cannot be read.

    Example: ariba audit runs/demo/attacked -f json -o report.json

    Example: ariba verify report.json runs/demo/attacked
    """
    with defer_signals():
        from ariba_cli.cli.output import Stopwatch
        from ariba_cli.replay.verify import open_reported_round, verify
        from ariba_cli.reports.report import read_report
        from ariba_cli.rounds.truth import truth_of
        from ariba_cli.scoring.devices import DeviceChoice

    stopwatch = Stopwatch()
    console = messages.console()
    terms = files.read_options(names, console)
    console.detail(f"reading {report_path}")
    report = read_report(report_path, terms.limits)
    console.detail(f"hashing the inputs of {round_path}, and auditing it again")
    try:
        round_ = open_reported_round(
            round_path,
            report.verdict,
            terms,
            global_path=global_model,
            not_models=options.paths(names, report_path),
        )
        known = truth_of(round_) if report.verdict.truth is not None else None
        with console.progress() as progress:
            done = verify(
                report,
                round_,
                compromised=None if known is None else known.compromised,
                max_memory=None if max_memory is None else parse_bytes(max_memory),
                device=DeviceChoice("auto", console.note),
                progress=progress,
            )
    except OSError as error:
        raise InputError(f"'{error.filename or round_path}': {error.strerror}") from error
    console.data("".join(f"{visible(line)}\n" for line in _lines(done)).encode())
    for note in notes(report, done, stopwatch.record(reproducible=False)):
        console.note(note)
    if done.differences:
        raise typer.Exit(Exit.DIFFERENT)


def _lines(done: "Verification") -> Iterator[str]:
    found = done.differences
    for what, lines in (
        ("inputs", found.inputs),
        ("places in the ranking", found.ranking),
        ("other differences", found.rest),
    ):
        yield from lines[:_MOST_LINES]
        if len(lines) > _MOST_LINES:
            yield f"and {len(lines) - _MOST_LINES:,} more {what}"


def notes(report: "Report", done: "Verification", now: "RunRecord") -> Iterator[str]:
    """What is to be known beside the differences, and why there may be any."""
    if done.analysed_only:
        yield (
            f"of {done.analysed_only:,} inputs the report has no hash of the whole file: of them, "
            "only what was analysed was compared (ariba convert seals a round)"
        )
    if not done.differences:
        yield f"the same: result_sha256 {report.result_sha256}; {done.whole_files:,} whole files"
        return
    if done.differences.inputs:
        return
    others = _other_versions(report.run, now)
    unsteady = [one.name for one in report.verdict.detectors if not one.same_on_every_machine]
    if unsteady:
        versions = f" ({', '.join(others)})" if others else ", though their versions are the same"
        yield (
            f"the scores of {', '.join(unsteady)} come from floating-point libraries: "
            f"their versions, or the machine, may be why{versions}"
        )
    elif others:
        yield f"other versions made the report: {', '.join(others)}"


def _other_versions(before: "RunRecord", now: "RunRecord") -> Sequence[str]:
    was = {"ariba": before.ariba, "python": before.python, **before.libraries}
    is_ = {"ariba": now.ariba, "python": now.python, **now.libraries}
    return [
        f"{name} {was[name]} now {is_[name]}"
        for name in was
        if name in is_ and was[name] != is_[name]
    ]
