"""One round audited after the other, and what came of them together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from ariba_cli.auditing.audit import audit
from ariba_cli.auditing.evaluation import truth_metrics
from ariba_cli.auditing.settings import AuditSettings
from ariba_cli.base.errors import AribaError, InputError
from ariba_cli.base.progress import Progress
from ariba_cli.cli.console import Console
from ariba_cli.cli.exits import Exit
from ariba_cli.cli.options.conditions import Condition
from ariba_cli.cli.output import Stopwatch
from ariba_cli.cli.verdicts import Verdicts
from ariba_cli.formats.model import ReadOptions
from ariba_cli.reports.words import cut_in_words
from ariba_cli.rounds.directory import open_round
from ariba_cli.rounds.truth import read_truth
from ariba_cli.verdicts.verdict import Verdict


@dataclass
class Auditing:
    """Audits rounds under the same terms.

    Attributes
    ----------
    truth : whether each verdict is measured against the truth beside its round.
    outputs : what is written beside, and must not lie among the updates of a round.
    failed : how many rounds could not be audited so far.
    holding : whether a condition held in any round.
    """

    settings: AuditSettings
    terms: ReadOptions
    global_model: Path | None
    not_models: tuple[Path, ...]
    truth: bool
    conditions: Sequence[Condition]
    outputs: tuple[Path, ...]
    console: Console
    failed: int = 0
    holding: bool = False

    def one(self, path: Path, verdicts: Verdicts) -> Iterator[bytes]:
        """The report of a round.

        Raises
        ------
        AribaError
            When it cannot be audited.
        """
        with self.console.progress() as progress:
            yield from self._report(path, verdicts, progress, "")

    def each(self, paths: Iterable[Path], total: int | None, verdicts: Verdicts) -> Iterator[bytes]:
        """The reports of several rounds, each before the next round is looked for.

        A round that cannot be audited is said, and the rest goes on.

        Parameters
        ----------
        total : how many there are, where that is known.

        Raises
        ------
        typer.Exit
            When none of them could be audited.
        """
        done = 0
        with self.console.progress() as progress:
            for number, path in enumerate(paths, 1):
                told = _of_rounds(progress, number, total)
                try:
                    yield from self._report(path, verdicts, told, f"{path}: ")
                    done += 1
                except (AribaError, MemoryError) as error:
                    self.failed += 1
                    self.console.error(f"{path}: {str(error) or 'needs more memory than there is'}")
        if not done:
            raise typer.Exit(Exit.COULD_NOT_COMPLETE)

    def _report(
        self, path: Path, verdicts: Verdicts, progress: Progress, which: str
    ) -> Iterator[bytes]:
        stopwatch = Stopwatch()
        verdict = self._verdict(path, progress)
        for layer in verdict.layers:
            self.console.detail(
                f"{which}examined {layer.layer} of {layer.participants} participants: "
                f"{layer.fragments * layer.participants:,} fragments of {layer.dimension} values, "
                f"{layer.marked:,} marked from {cut_in_words(verdict)} {layer.cut_distance:.6g}"
            )
        data = verdicts.encode(path, verdict, stopwatch)
        holding = [condition.text for condition in self.conditions if condition.holds(verdict)]
        self.holding = self.holding or bool(holding)
        yield data
        if holding:
            self.console.note(f"{which}condition holds: {', '.join(holding)}")

    def _verdict(self, path: Path, progress: Progress) -> Verdict:
        try:
            round_ = open_round(
                path, self.terms, global_path=self.global_model, not_models=self.not_models
            )
            for output in self.outputs:
                round_.check_apart(output)
            known = read_truth(path) if self.truth else None
            verdict = audit(round_, self.settings, progress)
        except OSError as error:
            raise InputError(f"'{error.filename or path}': {error.strerror}") from error
        if known is None:
            return verdict
        return replace(verdict, evaluation=truth_metrics(verdict, known.compromised))


def _of_rounds(progress: Progress, number: int, total: int | None) -> Progress:
    """How one round tells how far all are; when nobody knows how many, how far it is itself."""
    if total is None:
        return lambda what, done, steps: progress(f"round {number}: {what}", done, steps)
    return lambda what, _done, _steps: progress(what, number - 1, total)
