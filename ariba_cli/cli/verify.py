"""`ariba verify`: audit a round again, and compare it with its report."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ariba_cli.base.errors import InputError
from ariba_cli.base.interrupts import defer_signals
from ariba_cli.base.visible import visible
from ariba_cli.cli.audit import parse_bytes
from ariba_cli.cli.exits import Exit
from ariba_cli.cli.options import shared as options
from ariba_cli.cli.options.groups import grouped

if TYPE_CHECKING:
    from ariba_cli.cli.console import Console
    from ariba_cli.formats.model import ReadOptions
    from ariba_cli.replay.history import ReplayedHistory
    from ariba_cli.replay.verify import Verification
    from ariba_cli.reports.canonical import RunRecord
    from ariba_cli.reports.history_report import HistoryReport
    from ariba_cli.reports.report import Report

# Of each kind of difference.
_MOST_LINES = 20


@grouped
def verify(
    report_path: options.ReportArgument,
    round_paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="ROUND...",
            help="The directory of the round. For JSON lines of several rounds, give all of them "
            "in the same order, or their run.",
        ),
    ],
    names: options.NamesOption = None,
    global_model: options.GlobalOption = None,
    max_memory: options.MaxMemoryOption = None,
    files: options.FileLimits = options.FILE_LIMITS,
    messages: options.Messages = options.MESSAGES,
) -> None:
    """Repeat the audit that a report describes, and compare the results.

    The command hashes every input again: completely if the report has the hash of the whole file,
    as for a sealed round, and otherwise only what was analysed. Then it audits with the report's
    layers, fragment, detectors and level or k_est, and compares result_sha256. It prints each
    difference on a line: first inputs, then ranks and scores, then the rest. It does not collect
    evidence for pictures again. For JSON lines of several rounds, each line is compared with its
    round, and the last line with all rounds together.

    Exit codes: 0 everything is the same; 1 something differs; 2 no comparison was possible,
    because an input is missing or the report cannot be read.

    Example: ariba audit runs/demo/attacked -f json -o report.json

    Example: ariba verify report.json runs/demo/attacked

    Example: ariba verify rounds.jsonl runs/demo
    """
    with defer_signals():
        from ariba_cli.cli.options.given import rounds_to_audit
        from ariba_cli.reports.history_report import lines_in
        from ariba_cli.reports.report import parse_report, read_data

    console = messages.console()
    terms = files.read_options(names, console)
    console.detail(f"reading {report_path}")
    written, name = read_data(report_path, terms.limits), f"'{report_path}'"
    lines = lines_in(written, name)
    given = list(rounds_to_audit(round_paths, None, console.note).paths)
    reports = (parse_report(written, name=name),) if lines is None else lines.rounds
    if len(given) != len(reports):
        raise InputError(
            f"{name} covers {len(reports):,} rounds, and {len(given):,} are given; give the "
            "rounds that were audited, in the same order"
        )
    work = _Verifying(
        terms=terms,
        beside=options.paths(names, report_path),
        global_path=global_model,
        max_memory=None if max_memory is None else parse_bytes(max_memory),
        console=console,
    )
    for number, (report, path) in enumerate(zip(reports, given, strict=True), 1):
        work.verify(report, path, "" if lines is None else f"round {number} of {len(given)}: ")
    if lines is not None and lines.history is not None:
        work.verify_history(lines.history)
    if work.different:
        raise typer.Exit(Exit.DIFFERENT)


@dataclass
class _Verifying:
    """The comparison of rounds with their reports, one after the other.

    Attributes
    ----------
    terms : ReadOptions
        The terms under which files are opened.
    beside : tuple of Path
        Files that are not updates.
    global_path : Path, optional
        The global model, where it was named.
    max_memory : int, optional
        The number of bytes of a layer to hold in memory.
    console : Console
        The console for messages.
    different : bool
        True if there is any difference so far.
    """

    terms: "ReadOptions"
    beside: tuple[Path, ...]
    global_path: Path | None
    max_memory: int | None
    console: "Console"
    different: bool = False
    _history: "ReplayedHistory | None" = None

    def verify(self, report: "Report", path: Path, which: str) -> None:
        """Print the differences from the report on a round.

        Raises
        ------
        AribaError
            When the comparison is not possible.
        """
        from ariba_cli.base.extras import device_at_hand
        from ariba_cli.cli.output import Stopwatch
        from ariba_cli.replay.history import ReplayedHistory
        from ariba_cli.replay.verify import open_reported_round, verify
        from ariba_cli.rounds.truth import truth_of
        from ariba_cli.scoring.devices import DeviceChoice

        stopwatch = Stopwatch()
        self._history = self._history or ReplayedHistory()
        self.console.detail(f"hashing the inputs of {path}, and auditing it again")
        try:
            round_ = open_reported_round(
                path,
                report.verdict,
                self.terms,
                global_path=self.global_path,
                not_models=self.beside,
            )
            known = truth_of(round_) if report.verdict.truth is not None else None
            with self.console.progress() as progress:
                done = verify(
                    report,
                    round_,
                    compromised=None if known is None else known.compromised,
                    max_memory=self.max_memory,
                    device=DeviceChoice(device_at_hand("auto"), self.console.note),
                    progress=progress,
                    watch=self._history.watch,
                )
        except OSError as error:
            raise InputError(f"'{error.filename or path}': {error.strerror}") from error
        self._history.add(round_, done)
        self._print(f"{which}{line}" for line in _lines(done))
        for note in notes(report, done, stopwatch.record(reproducible=False)):
            self.console.note(which + note)
        self.different = self.different or bool(done.differences)

    def verify_history(self, report: "HistoryReport") -> None:
        """Print the differences from the report on all rounds together."""
        assert self._history is not None
        found = self._history.differences(report)
        self._print(f"all rounds together: {line}" for line in found[:_MOST_LINES])
        if len(found) > _MOST_LINES:
            self.console.note(f"and {len(found) - _MOST_LINES:,} more differences")
        if not found:
            self.console.note(f"all rounds together: the same: {report.result_sha256}")
        self.different = self.different or bool(found)

    def _print(self, lines: Iterable[str]) -> None:
        self.console.data("".join(f"{visible(line)}\n" for line in lines).encode())


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
    """Yield the notes beside the differences, and the possible reasons for them."""
    if done.analysed_only:
        yield (
            f"for {done.analysed_only:,} inputs the report lacks the hash of the whole file, so "
            "only the analysed values were compared (ariba convert seals a round)"
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
            f"their versions or the machine may be the reason{versions}"
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
