"""The audit of rounds, one after the other, and of all together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ariba_cli.api.auditing import audit
from ariba_cli.auditing.history import RunningHistory, why_too_few
from ariba_cli.base.errors import AribaError, InputError
from ariba_cli.base.progress import Progress
from ariba_cli.cli.console import Console
from ariba_cli.cli.exits import Exit
from ariba_cli.cli.options.conditions import Condition
from ariba_cli.cli.output import Stopwatch
from ariba_cli.cli.verdicts import Verdicts
from ariba_cli.reports.words import cutoff_in_words
from ariba_cli.rounds.directory import check_apart

if TYPE_CHECKING:
    from ariba_cli.verdicts.history import History
    from ariba_cli.verdicts.verdict import MarkedLayer, Verdict


@dataclass
class Auditing:
    """The audit of rounds with the same settings.

    Attributes
    ----------
    asked : dict of str to Any
        The options of `ariba_cli.audit`.
    outputs : tuple of Path
        The files that the command writes, which must not lie among the updates of a round.
    conditions : sequence of Condition
        The conditions of `--fail-on`.
    console : Console
        The console for messages.
    history : RunningHistory, optional
        The history of the rounds so far; None for one round.
    failed : int
        The number of rounds so far that could not be audited.
    holding : bool
        True if a condition held in any round, or in all together.
    """

    asked: dict[str, Any]
    outputs: tuple[Path, ...]
    conditions: Sequence[Condition]
    console: Console
    history: RunningHistory | None = None
    failed: int = 0
    holding: bool = False
    _audited: int = 0
    _without_truth: int = 0
    _stopwatch: Stopwatch = field(default_factory=Stopwatch)

    def one(self, path: Path, verdicts: Verdicts) -> Iterator[bytes]:
        """Yield the report of a round.

        Raises
        ------
        AribaError
            When it cannot be audited.
        """
        with self.console.progress() as progress:
            yield from self._report(path, verdicts, progress, "")

    def each(self, paths: Iterable[Path], total: int | None, verdicts: Verdicts) -> Iterator[bytes]:
        """Yield the reports of several rounds, each before the next round is looked for.

        The last is that of all together. A round that cannot be audited is an error on stderr, and
        the rest goes on.

        Parameters
        ----------
        paths : iterable of Path
            The directories of the rounds.
        total : int, optional
            The number of rounds; None where it is not known.
        verdicts : Verdicts
            The encoder of the verdicts.

        Raises
        ------
        typer.Exit
            When none of them could be audited.
        """
        with self.console.progress() as progress:
            for number, path in enumerate(paths, 1):
                told = _of_rounds(progress, number, total)
                try:
                    yield from self._report(path, verdicts, told, f"{path}: ")
                except (AribaError, MemoryError) as error:
                    self.failed += 1
                    self.console.error(
                        f"{path}: {str(error) or 'needs more memory than this machine has'}"
                    )
        if not self._audited:
            raise typer.Exit(Exit.COULD_NOT_COMPLETE)
        self._tell_of_truth()
        yield from self._of_history(verdicts)

    def _of_history(self, verdicts: Verdicts) -> Iterator[bytes]:
        """Yield the report of all rounds together, where there are enough of them."""
        if self.history is None:
            return
        if not self.history.suffices:
            if verdicts.needs_history:
                raise InputError(why_too_few(self.history))
            self.console.detail(why_too_few(self.history))
            return
        found = self.history.verdict()
        yield verdicts.encode_history(found, self._stopwatch)
        self._heed(found, "all rounds together: ")

    def _heed(self, verdict: "Verdict | History", which: str) -> None:
        """Report the conditions that hold, and remember if one does."""
        holding = [condition.text for condition in self.conditions if condition.holds(verdict)]
        self.holding = self.holding or bool(holding)
        if holding:
            self.console.note(f"{which}condition holds: {', '.join(holding)}")

    def _report(
        self, path: Path, verdicts: Verdicts, progress: Progress, which: str
    ) -> Iterator[bytes]:
        stopwatch = Stopwatch()
        for output in self.outputs:
            check_apart(path, output)
        verdict = audit(path, **self.asked, history=self.history, progress=progress)
        marked = {layer.layer: layer for layer in verdict.marked_layers}
        for layer in verdict.layers:
            own = marked.get(layer.layer)
            self.console.detail(
                f"{which}examined {layer.layer} of {layer.participants} participants"
                + ("" if own is None else f": {_marks_in_words(own, cutoff_in_words(verdict))}")
            )
        sandbox = None if verdict.run is None else verdict.run.sandbox
        data = verdicts.encode(path, verdict, stopwatch, sandbox)
        yield data
        self._audited += 1
        self._without_truth += verdict.truth is None
        self._heed(verdict, which)

    def _tell_of_truth(self) -> None:
        """Say how many rounds were not compared with the truth, if that was asked for."""
        if self.asked["truth"] and self._without_truth:
            self.console.note(
                f"{self._without_truth} of {self._audited} rounds have no truth.json, and so are "
                "not compared with the truth"
            )


def _marks_in_words(layer: "MarkedLayer", what: str) -> str:
    return (
        f"{layer.fragments * layer.participants:,} fragments of {layer.dimension} values, "
        f"{layer.marked:,} marked from {what} {layer.cutoff_distance:.6g}"
    )


def _of_rounds(progress: Progress, number: int, total: int | None) -> Progress:
    """Return the progress of one round in that of all; if their number is unknown, its own."""
    if total is None:
        return lambda what, done, steps: progress(f"round {number}: {what}", done, steps)
    return lambda what, _done, _steps: progress(what, number - 1, total)
