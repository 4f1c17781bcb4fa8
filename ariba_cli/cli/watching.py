"""The rounds of a running federation, one after the other, and the reactions to each."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ariba_cli.api.auditing import audit
from ariba_cli.auditing.history import RunningHistory
from ariba_cli.base.errors import AribaError, UsageError
from ariba_cli.base.visible import visible
from ariba_cli.cli.console import Console
from ariba_cli.cli.options.conditions import Condition
from ariba_cli.cli.output import Stopwatch
from ariba_cli.reports.audit_json import audit_json
from ariba_cli.reports.history_json import history_json
from ariba_cli.reports.history_words import headline_in_words as of_history
from ariba_cli.reports.words import headline_in_words
from ariba_cli.verdicts.history import History
from ariba_cli.verdicts.verdict import Verdict


@dataclass
class Watching:
    """An audit of rounds as they come.

    Attributes
    ----------
    asked : dict of str to Any
        The options of `ariba_cli.audit`.
    as_json : bool
        True to print reports, and not lines in words.
    reproducible : bool
        True to leave out time and duration.
    conditions : sequence of Condition
        The conditions of `--fail-on`.
    command : str, optional
        The command to run when a condition holds; None to end.
    console : Console
        The console for messages.
    ended : bool
        True when the watch is over.
    holding : bool
        True if it is over because a condition holds.
    """

    asked: dict[str, Any]
    as_json: bool
    reproducible: bool
    conditions: Sequence[Condition]
    command: str | None
    console: Console
    ended: bool = False
    holding: bool = False
    _history: RunningHistory = field(default_factory=RunningHistory)
    _named: frozenset[str] = frozenset()

    def take(self, path: Path) -> None:
        """Audit a round, and report its verdict and that of all together.

        Raises
        ------
        UsageError
            When a condition does not fit what is asked.
        """
        stopwatch = Stopwatch()
        try:
            verdict = audit(path, **self.asked, history=self._history)
        except UsageError:
            raise
        except (AribaError, MemoryError) as error:
            # The federation goes on, and so does this.
            self.console.error(f"{path}: {str(error) or 'needs more memory than this machine has'}")
            return
        report = audit_json(verdict, self._record(stopwatch, path), one_line=True)
        words = f"{path}: {headline_in_words(verdict)}"
        self._print(report if self.as_json else f"{visible(words)}\n".encode())
        self._heed(verdict, report, path, str(path))
        if self._history.suffices:
            self._take_history(self._history.verdict(), stopwatch, path)

    def _take_history(self, found: History, stopwatch: Stopwatch, path: Path) -> None:
        report = history_json(found, self._record(stopwatch))
        named = frozenset(one.id for one in found.suspects)
        # All rounds together are said when they name others: a line for each would grow.
        if named != self._named:
            self._print(report if self.as_json else f"{of_history(found)}\n".encode())
        self._named = named
        self._heed(found, report, path, "all rounds together")

    def _record(self, stopwatch: Stopwatch, path: Path | None = None) -> Any:
        return stopwatch.record(reproducible=self.reproducible, round_path=path)

    def _print(self, data: bytes) -> None:
        if not self.console.data(data):
            self.ended = True

    def _heed(self, verdict: Verdict | History, report: bytes, path: Path, which: str) -> None:
        """Report the conditions that hold, and run the command, or end."""
        holding = [condition.text for condition in self.conditions if condition.holds(verdict)]
        if not holding:
            return
        self.console.note(f"{which}: condition holds: {', '.join(holding)}")
        if self.command is None:
            self.ended = self.holding = True
            return
        variables = {"ARIBA_ROUND": str(path), "ARIBA_CONDITIONS": ", ".join(holding)}
        try:
            # The user's own words; what participants chose is in the data alone.
            done = subprocess.run(
                self.command,
                shell=True,
                input=report,
                stdout=sys.stderr,
                env={**os.environ, **variables},
                check=False,
            )
        except OSError as error:
            self.console.error(f"--exec cannot be run: {error.strerror}")
            return
        if done.returncode:
            self.console.error(f"--exec ended with {done.returncode}")
