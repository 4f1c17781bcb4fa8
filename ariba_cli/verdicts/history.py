"""The verdict on the rounds of a run together: plain frozen data, like a verdict on one."""

from itertools import pairwise
from math import inf

from msgspec import Struct, field

from ariba_cli.base.findings import Finding
from ariba_cli.verdicts.method import Decision
from ariba_cli.verdicts.ranked import Ranked
from ariba_cli.verdicts.verdict import DetectorResult


class RoundOfHistory(Struct, frozen=True):
    """One round of a history.

    Attributes
    ----------
    number : int
        The number in its manifest, or its place among the given rounds.
    result_sha256 : str
        The hash of the result in the report on the round by itself.
    participants : int
        The number of participants who were judged.
    named : tuple of str
        The participants who stood out in it alone.
    """

    number: int
    result_sha256: str
    participants: int
    named: tuple[str, ...]


class Course(Struct, frozen=True):
    """One participant over the rounds.

    Attributes
    ----------
    id : str
        The id of the participant.
    attended : int
        The number of rounds in which it was judged.
    p_values : tuple of float, optional
        The chance that an honest participant looks as suspicious, by round; None where it was away.
    lengths : tuple of float, optional
        The length of its update divided by the median of the round; None where it was away.
    began : int, optional
        The round in which it began, for participants who are named.
    layers : tuple of str
        The layers in which it stood out in single rounds, the most frequent first.
    label : int, optional
        The class that its updates pull at more than those of others, for participants who are
        named; `class` in JSON.
    """

    id: str
    attended: int
    p_values: tuple[float | None, ...]
    lengths: tuple[float | None, ...]
    began: int | None = None
    layers: tuple[str, ...] = ()
    label: int | None = field(default=None, name="class")


class History(Struct, frozen=True):
    """The result of an audit of several rounds.

    Attributes
    ----------
    decision : Decision
        The rule by which participants are named.
    rounds : tuple of RoundOfHistory
        The rounds, in order.
    detectors : tuple of DetectorResult
        The results of detectors of scope *history*; the first decides.
    ranking : tuple of Ranked
        The participants, the most suspicious first.
    courses : tuple of Course
        The course of each over the rounds, in the order of the ranking.
    findings : tuple of Finding
        The faults of the rounds.
    """

    decision: Decision
    rounds: tuple[RoundOfHistory, ...]
    detectors: tuple[DetectorResult, ...]
    ranking: tuple[Ranked, ...]
    courses: tuple[Course, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def suspects(self) -> tuple[Ranked, ...]:
        """The participants that the decision names."""
        return tuple(one for one in self.ranking if one.named)

    @property
    def by_level(self) -> bool:
        """True if a false-discovery level decides, which is always so."""
        return self.decision.alpha is not None

    def course(self, name: str) -> Course:
        """Return the course of one participant over the rounds."""
        return next(one for one in self.courses if one.id == name)


def why_invalid(history: History) -> str:
    """Return the reason why a history that was read is invalid; the empty string if it is sound.

    The writer of the file may have made up any of it: everything that a reader relies on is
    checked.
    """
    rounds, names = len(history.rounds), [one.id for one in history.ranking]
    if not rounds or not history.detectors or history.decision.alpha is None:
        return "it has no rounds, no detectors or no level"
    if [one.rank for one in history.ranking] != list(range(1, len(names) + 1)):
        return "its ranks do not count from 1"
    if len(set(names)) < len(names) or [one.id for one in history.courses] != names:
        return "its courses are not those of its ranking"
    if any(len(own) != rounds for one in history.courses for own in (one.p_values, one.lengths)):
        return "a course has too few or too many rounds"
    if any(sorted(one.ids) != sorted(names) for one in history.detectors):
        return "a detector has not scored those who are ranked"
    if any(one.number >= other.number for one, other in pairwise(history.rounds)):
        return "its rounds are not in order"
    numbers = [
        number
        for one in history.courses
        for own in (one.p_values, one.lengths)
        for number in own
        if number is not None
    ]
    if not all(0 <= number < inf for number in numbers):
        return "a course has an invalid number"
    return ""
