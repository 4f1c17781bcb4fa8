"""The comparison of two verdicts: the participants who moved, and all other differences."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from ariba_cli.base.findings import Finding
from ariba_cli.base.ids import id_order
from ariba_cli.verdicts.history import History
from ariba_cli.verdicts.method import RequestedDetector
from ariba_cli.verdicts.ranked import Ranked
from ariba_cli.verdicts.verdict import DetectorResult, Verdict

_Any = TypeVar("_Any")


@dataclass(frozen=True)
class Movement:
    """The places of a participant in two rankings; None where it is not ranked."""

    id: str
    first: Ranked | None
    second: Ranked | None

    @property
    def moved(self) -> bool:
        """True if its rank changed, or it is newly named, or no longer named."""
        return _place(self.first) != _place(self.second)


@dataclass(frozen=True)
class Change:
    """A parameter that differs; None where one of the two lacks it."""

    name: str
    first: Any
    second: Any


@dataclass(frozen=True)
class Comparison:
    """The differences between two verdicts.

    Attributes
    ----------
    participants : tuple of Movement
        The participants of both; by the second ranking, then by the first, then by id.
    entered, left : tuple of str
        The participants that are newly named, and those that are no longer named.
    only_in_first, only_in_second : tuple of str
        The participants who sent nothing to the other round, in id order.
    parameters : tuple of Change
        The parameters, other than the round, that decide a result and differ.
    new, gone : tuple of Finding
        The findings that only the second has, and those that only the first has.
    """

    participants: tuple[Movement, ...]
    entered: tuple[str, ...]
    left: tuple[str, ...]
    only_in_first: tuple[str, ...]
    only_in_second: tuple[str, ...]
    parameters: tuple[Change, ...]
    new: tuple[Finding, ...]
    gone: tuple[Finding, ...]

    @property
    def moved(self) -> tuple[Movement, ...]:
        """The participants who have another place."""
        return tuple(one for one in self.participants if one.moved)

    @property
    def same(self) -> bool:
        """True if everybody has the same place; shares may differ."""
        return not (self.moved or self.only_in_first or self.only_in_second)


def compare(first: Verdict, second: Verdict) -> Comparison:
    """Return the differences between two verdicts."""
    sent, sent_later = _participants(first), _participants(second)
    changes = _changes(_parameters(first), _parameters(second))
    return _comparison(first, second, sent, sent_later, changes)


def compare_histories(first: History, second: History) -> Comparison:
    """Return the differences between two verdicts on several rounds together."""
    sent, sent_later = (set(_ranking(one)) for one in (first, second))
    changes = _changes(_of_history(first), _of_history(second))
    return _comparison(first, second, sent, sent_later, changes)


def _comparison(
    first: Verdict | History,
    second: Verdict | History,
    sent: set[str],
    sent_later: set[str],
    parameters: tuple[Change, ...],
) -> Comparison:
    one, other = _ranking(first), _ranking(second)
    rest = sorted((sent | sent_later) - one.keys() - other.keys(), key=id_order)
    order = dict.fromkeys([*other, *one, *rest])
    suspects, later = _suspects(first), _suspects(second)
    return Comparison(
        participants=tuple(Movement(name, one.get(name), other.get(name)) for name in order),
        entered=_without(later, suspects),
        left=_without(suspects, later),
        only_in_first=tuple(sorted(sent - sent_later, key=id_order)),
        only_in_second=tuple(sorted(sent_later - sent, key=id_order)),
        parameters=parameters,
        new=_without(second.findings, first.findings),
        gone=_without(first.findings, second.findings),
    )


def _of_history(history: History) -> dict[str, Any]:
    """Return the parameters, other than the updates, that decide a history."""
    found: dict[str, Any] = {
        "detectors": [one.name for one in history.detectors],
        "level": history.decision.alpha,
        "rounds": [one.number for one in history.rounds],
    }
    for one in history.detectors:
        found |= _settled(one)
    return found


def _place(ranked: Ranked | None) -> tuple[int, bool] | None:
    return None if ranked is None else (ranked.rank, ranked.named)


def _ranking(verdict: Verdict | History) -> dict[str, Ranked]:
    return {ranked.id: ranked for ranked in verdict.ranking}


def _participants(verdict: Verdict) -> set[str]:
    return {one.id for one in verdict.inputs if one.role == "participant"}


def _suspects(verdict: Verdict | History) -> tuple[str, ...]:
    return tuple(ranked.id for ranked in verdict.suspects)


def _without(several: Iterable[_Any], others: Iterable[_Any]) -> tuple[_Any, ...]:
    known = set(others)
    return tuple(one for one in several if one not in known)


def _parameters(verdict: Verdict) -> dict[str, Any]:
    """Return the parameters, other than the round, that decide a result."""
    method, requested = verdict.method, verdict.method.requested
    found = {
        "detectors": [one.name for one in verdict.detectors],
        "rule": verdict.decision.rule,
        "decided by": verdict.decision.detector,
        "level": verdict.decision.alpha,
        "k_est": method.k_est,
        "layers": list(method.layers),
        "layer_choice": method.layer_choice,
        "fragment": requested.fragment,
        "excluded": sorted(requested.excluded, key=id_order),
        "seal_verified": method.seal_verified,
        "inner_products": method.inner_products,
    }
    for asked in requested.detectors:
        found |= _arguments(asked)
    for one in verdict.detectors:
        found |= _settled(one)
    return found


def _arguments(asked: RequestedDetector) -> dict[str, Any]:
    """Return the arguments given to a detector; defaults are left out."""
    given: dict[str, Any] = dict(asked.arguments)
    if asked.fit_sample is not None:
        given["fit_sample"] = asked.fit_sample
    return {f"{asked.name}.arguments.{key}": value for key, value in given.items()}


def _settled(one: DetectorResult) -> dict[str, Any]:
    return {f"{one.name}.parameters.{key}": value for key, value in one.parameters.items()}


def _changes(first: dict[str, Any], second: dict[str, Any]) -> tuple[Change, ...]:
    return tuple(
        Change(name, first.get(name), second.get(name))
        for name in {**first, **second}
        if first.get(name) != second.get(name)
    )
