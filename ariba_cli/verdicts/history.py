"""What the rounds of a run say together: plain frozen data, as a verdict on one round is."""

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
        As its manifest has it, or its place among those that were given.
    result_sha256 : str
        Of the report on the round by itself.
    participants : int
        How many were judged.
    named : tuple of str
        Who stood out in it alone.
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
        The participant.
    attended : int
        In how many rounds it was judged.
    p_values : tuple of float, optional
        How likely an honest participant looks as suspicious, by round; none where it was away.
    lengths : tuple of float, optional
        The length of its update by the median of the round.
    began : int, optional
        Of whoever is named, in which round it began.
    layers : tuple of str
        Where it stood out in single rounds, the layer of most of them first.
    label : int, optional
        Of whoever is named, the class that its updates pull at more than those of others;
        `class` in JSON.
    """

    id: str
    attended: int
    p_values: tuple[float | None, ...]
    lengths: tuple[float | None, ...]
    began: int | None = None
    layers: tuple[str, ...] = ()
    label: int | None = field(default=None, name="class")


class History(Struct, frozen=True):
    """What an audit of several rounds found.

    Attributes
    ----------
    decision : Decision
        By which rule participants are named.
    rounds : tuple of RoundOfHistory
        In order.
    detectors : tuple of DetectorResult
        Those of scope *history*; the first decides.
    ranking : tuple of Ranked
        The participants, the most suspicious first.
    courses : tuple of Course
        Each over the rounds, in the order of the ranking.
    findings : tuple of Finding
        What is wrong with the rounds.
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
        """Whether a false-discovery level decides, as it always does."""
        return self.decision.alpha is not None

    def course(self, name: str) -> Course:
        """Return what one participant did over the rounds."""
        return next(one for one in self.courses if one.id == name)


def why_invalid(history: History) -> str:
    """Return why a history that was read is none; nothing when it is sound.

    Whoever wrote the file may have made up any of it: what a reader relies on is checked.
    """
    rounds, names = len(history.rounds), [one.id for one in history.ranking]
    if not rounds or not history.detectors or history.decision.alpha is None:
        return "it has no rounds, no detectors or no level"
    if [one.rank for one in history.ranking] != list(range(1, len(names) + 1)):
        return "its ranks do not count from 1 on"
    if len(set(names)) < len(names) or [one.id for one in history.courses] != names:
        return "its courses are not those of its ranking"
    if any(len(own) != rounds for one in history.courses for own in (one.p_values, one.lengths)):
        return "a course has not as many rounds as there are"
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
        return "a course has a number that is none"
    return ""
