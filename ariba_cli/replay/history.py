"""The verdict on several rounds together, compared with that of their audits run again."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ariba_cli.auditing.history import AuditedRound, RunningHistory, why_too_few
from ariba_cli.auditing.observation import Observation
from ariba_cli.replay.verify import Verification
from ariba_cli.reports.audit_json import result_digest
from ariba_cli.reports.history_json import history_json
from ariba_cli.reports.history_report import HistoryReport, parse_history
from ariba_cli.rounds.directory import Round
from ariba_cli.verdicts.comparison import compare_histories
from ariba_cli.verdicts.history import History
from ariba_cli.verdicts.ranked import Ranked


@dataclass
class ReplayedHistory:
    """The rounds of a report on a run, audited again one after the other."""

    _history: RunningHistory = field(default_factory=RunningHistory)
    _seen: list[Observation | None] = field(default_factory=list)

    def watch(self, seen: Observation | None) -> None:
        """Store the observation of the round that is being audited."""
        self._seen.append(seen)

    def add(self, round_: Round, done: Verification) -> None:
        """Add a round that was verified."""
        seen, self._seen = self._seen, []
        if done.again is not None:
            number = None if round_.manifest is None else round_.manifest.round
            self._history.add(AuditedRound(number, done.again, result_digest(done.again), seen[0]))

    def differences(self, report: HistoryReport) -> list[str]:
        """Return the differences between the report and the verdict on all rounds now, in words."""
        if not self._history.suffices:
            return [why_too_few(self._history)]
        now = parse_history(history_json(self._history.verdict(), report.run))
        if now.result_sha256 == report.result_sha256:
            return []
        found = list(_differences(report.verdict, now.verdict))
        return found or [f"result_sha256: {report.result_sha256} now {now.result_sha256}"]


def _differences(first: History, second: History) -> Iterator[str]:
    found = compare_histories(first, second)
    for one in found.participants:
        if one.first != one.second:
            yield f"{one.id}: {_place(one.first)} now {_place(one.second)}"
    for change in found.parameters:
        yield f"{change.name}: {change.first} now {change.second}"
    digests = {one.number: one.result_sha256 for one in second.rounds}
    for own in first.rounds:
        now = digests.get(own.number, "none")
        if now != own.result_sha256:
            yield f"round {own.number}: result_sha256 {own.result_sha256} now {now}"
    courses = {one.id: one for one in second.courses}
    for course in first.courses:
        if courses.get(course.id) != course:
            yield f"{course.id}: another course over the rounds"
    for word, findings in (("new", found.new), ("gone", found.gone)):
        for finding in findings:
            yield f"{word} finding: {finding.kind}: {finding.detail}"


def _place(ranked: Ranked | None) -> str:
    if ranked is None:
        return "not ranked"
    flagged = " (flagged)" if ranked.flagged else ""
    return f"rank {ranked.rank} with score {ranked.score:.6g}{flagged}"
