"""The history: round after round → the remembered numbers → a verdict on all rounds together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from ariba_cli.auditing.decisions import level
from ariba_cli.auditing.observation import Observation
from ariba_cli.auditing.onset import began_at
from ariba_cli.auditing.ranking import scores_of_updates
from ariba_cli.base.errors import InputError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.base.ids import id_order
from ariba_cli.detectors import history_detectors
from ariba_cli.detectors.declaration import HistoryDetector
from ariba_cli.detectors.timeline import FEWEST_ROUNDS
from ariba_cli.scoring.over_rounds import OverRounds
from ariba_cli.scoring.panel.robust import Kept
from ariba_cli.scoring.update_statistics import Float64
from ariba_cli.verdicts.history import Course, History, RoundOfHistory
from ariba_cli.verdicts.verdict import DetectorResult, Verdict

# Of fewer of its participants a round says nothing of those before it.
_LEAST_KNOWN = 0.5
_MOST_LAYERS = 3
_DIGITS = 6

Value = TypeVar("Value", str, int)


@dataclass(frozen=True)
class AuditedRound:
    """A round that was audited by itself.

    Attributes
    ----------
    number : int, optional
        The number in its manifest.
    verdict : Verdict
        The verdict on it.
    result_sha256 : str
        The hash of the result in the report on it.
    observation : Observation, optional
        The numbers that a history keeps of it.
    """

    number: int | None
    verdict: Verdict
    result_sha256: str
    observation: Observation | None


@dataclass
class RunningHistory:
    """The memory of the rounds so far: scores by round, and sums over rounds.

    Each round adds a few numbers for each participant; it holds no updates. Its level
    is that of the first round.

    Examples
    --------
    >>> import ariba_cli as ariba
    >>> history = ariba.RunningHistory()
    >>> verdict = ariba.audit("fixtures/attacked", history=history)
    >>> history.rounds
    1
    """

    _alpha: float | None = None
    _rounds: list[RoundOfHistory] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)
    _seen: list[tuple[Sequence[int], Float64, Float64]] = field(default_factory=list)
    _gram: Float64 = field(default_factory=lambda: np.zeros((0, 0)))
    _squares: Float64 = field(default_factory=lambda: np.zeros((0, 0)))
    _layers: dict[str, Counter[str]] = field(default_factory=dict)
    _labels: dict[str, Counter[int]] = field(default_factory=dict)
    _findings: list[Finding] = field(default_factory=list)

    @property
    def rounds(self) -> int:
        """The number of remembered rounds."""
        return len(self._rounds)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The faults of the rounds so far."""
        return tuple(dict.fromkeys(self._findings))

    @property
    def suffices(self) -> bool:
        """True if these are enough for a verdict on all of them together."""
        return self.rounds >= FEWEST_ROUNDS

    def add(self, one: AuditedRound) -> None:
        """Remember a round, or the reason why it is left out."""
        alpha = one.verdict.decision.alpha
        if one.observation is None or alpha is None:
            return
        self._alpha = alpha if self._alpha is None else self._alpha
        number = self._number(one)
        if number is None:
            return
        seen, known = one.observation, len(self._places)
        places = [self._places.setdefault(name, len(self._places)) for name in seen.ids]
        self._check_known(number, seen.ids, sum(place < known for place in places))
        self._grow(len(self._places))
        index = np.ix_(places, places)
        self._gram[index] += seen.gram
        self._squares[index] += np.square(seen.lengths)[:, None]
        self._seen.append((places, seen.p_values, seen.lengths))
        for name, reasons in seen.reasons.items():
            layers = {reason.layer for reason in reasons if reason.layer is not None}
            labels = {reason.label for reason in reasons if reason.label is not None}
            self._layers.setdefault(name, Counter()).update(layers)
            self._labels.setdefault(name, Counter()).update(labels)
        named = tuple(ranked.id for ranked in one.verdict.suspects)
        self._rounds.append(RoundOfHistory(number, one.result_sha256, len(seen.ids), named))

    def verdict(self) -> History:
        """Return the verdict on all rounds so far together.

        Raises
        ------
        InputError
            When there are too few.
        """
        if not self.suffices:
            raise InputError(why_too_few(self))
        assert self._alpha is not None
        rounds, ids = self._over_rounds(), tuple(self._places)
        order = sorted(range(len(ids)), key=lambda place: id_order(ids[place]))
        rounds, ids = _in_order(rounds, order), tuple(ids[place] for place in order)
        detected = [_result(one, rounds, ids) for one in history_detectors()]
        decision, ranking = level(detected[0].name, detected[0].scores, self._alpha)
        named = {one.id for one in ranking if one.named}
        usual = np.array([name not in named for name in ids])
        courses = {name: self._course(name, place, rounds, usual) for place, name in enumerate(ids)}
        return History(
            decision=decision,
            rounds=tuple(self._rounds),
            detectors=tuple(detected),
            ranking=ranking,
            courses=tuple(courses[one.id] for one in ranking),
            findings=self.findings,
        )

    def _number(self, one: AuditedRound) -> int | None:
        """Return the number of a round; None, with a finding, where the round is left out."""
        last = self._rounds[-1].number if self._rounds else None
        number = one.number
        if number is None:
            number = 1 if last is None else last + 1
            self._find(
                FindingKind.UNNUMBERED,
                f"a round has no manifest, and so no number; it counts as round {number}",
                number,
            )
        earlier = {own.result_sha256: own.number for own in self._rounds}.get(one.result_sha256)
        if earlier is not None or number in {own.number for own in self._rounds}:
            same = f"the same as round {earlier}" if earlier is not None else "there twice"
            words = f"round {number} is {same} and counts once"
            self._find(FindingKind.ROUND_REPEATED, words, number)
            return None
        if last is not None and number < last:
            words = f"round {number} comes after round {last} and is left out of the history"
            self._find(FindingKind.ROUND_ORDER, words, number)
            return None
        if last is not None and number > last + 1:
            words = f"rounds missing between rounds {last} and {number}: {number - last - 1}"
            self._find(FindingKind.ROUNDS_MISSING, words, number)
        return number

    def _check_known(self, number: int, ids: Sequence[str], known: int) -> None:
        if self._rounds and known < _LEAST_KNOWN * len(ids):
            words = (
                f"only {known} of the {len(ids)} participants of round {number} were in an earlier "
                "one: have their ids changed?"
            )
            self._find(FindingKind.OTHER_PARTICIPANTS, words, number)

    def _find(self, kind: FindingKind, words: str, number: int) -> None:
        self._findings.append(Finding(kind, words, facts={"round": number}))

    def _grow(self, n: int) -> None:
        """Make room for new participants."""
        new = n - len(self._gram)
        self._gram = np.pad(self._gram, ((0, new), (0, new)))
        self._squares = np.pad(self._squares, ((0, new), (0, new)))

    def _over_rounds(self) -> OverRounds:
        shape = self.rounds, len(self._places)
        p_values, lengths = np.full(shape, np.nan), np.full(shape, np.nan)
        for row, (places, chances, own) in enumerate(self._seen):
            p_values[row, places], lengths[row, places] = chances, own
        return OverRounds(p_values, lengths, self._gram, self._squares)

    def _course(self, name: str, place: int, rounds: OverRounds, usual: Kept) -> Course:
        """Return the course of one participant, and the round in which it ceased to be usual."""
        began: int | None = None
        label: int | None = None
        layers: tuple[str, ...] = ()
        if not usual[place]:
            began = self._rounds[began_at(rounds, place, usual)].number
            layers = _most_common(self._layers.get(name, Counter()), _MOST_LAYERS)
            label = next(iter(_most_common(self._labels.get(name, Counter()), 1)), None)
        return Course(
            id=name,
            attended=int(rounds.attended[place]),
            p_values=_given(rounds.p_values[:, place]),
            lengths=_given(rounds.lengths[:, place]),
            began=began,
            layers=layers,
            label=label,
        )


def why_too_few(history: RunningHistory) -> str:
    """Return the reason why there is no verdict on all rounds together."""
    findings = "; ".join(one.detail for one in history.findings)
    return (
        f"there is no verdict on all rounds together: it takes {FEWEST_ROUNDS} rounds that were "
        f"audited at a level, and {history.rounds} can be used"
        + (f" ({findings})" if findings else "")
    )


def _most_common(counts: Counter[Value], most: int) -> tuple[Value, ...]:
    """Return the values that occur in most rounds, in an order independent of that of rounds."""
    return tuple(sorted(counts, key=lambda value: (-counts[value], str(value)))[:most])


def _in_order(rounds: OverRounds, order: Sequence[int]) -> OverRounds:
    index = np.ix_(order, order)
    return OverRounds(
        rounds.p_values[:, order],
        rounds.lengths[:, order],
        rounds.gram[index],
        rounds.squares[index],
    )


def _result(detector: HistoryDetector, rounds: OverRounds, ids: Sequence[str]) -> DetectorResult:
    declaration, found = detector.declaration, detector.score(rounds)
    return DetectorResult(
        name=declaration.name,
        scope=declaration.scope.value,
        same_on_every_machine=declaration.same_on_every_machine,
        parameters=dict(found.parameters),
        scores=scores_of_updates(ids, found),
    )


def _given(values: Float64) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(one) else float(f"{one:.{_DIGITS}g}") for one in values.tolist())
