"""The participants: those who are shown in full among many, and their names."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from ariba_cli.reports.html.markup import append, element
from ariba_cli.reports.words import named_word
from ariba_cli.verdicts.ranked import Ranked
from ariba_cli.verdicts.verdict import Verdict

_MOST_SUSPECTS = 50
_FEWEST_NEXT = 10
_MOST_NEXT = 30


@dataclass(frozen=True)
class Shown:
    """The participants who are shown in full where there are too many.

    Attributes
    ----------
    suspects : tuple of Ranked
        The first of the suspects.
    next_ones : tuple of Ranked
        The participants that follow the last suspect in the ranking.
    left_out : int
        The number of others who were ranked.
    """

    suspects: tuple[Ranked, ...]
    next_ones: tuple[Ranked, ...]
    left_out: int

    @property
    def all(self) -> tuple[Ranked, ...]:
        """The suspects and the next ones, in the order of the ranking."""
        return self.suspects + self.next_ones


def shown(verdict: Verdict, *, suspects: int = _MOST_SUSPECTS) -> Shown:
    """Return the first suspects, and as many of the next participants, within limits."""
    named = verdict.suspects
    count = min(max(len(named), _FEWEST_NEXT), _MOST_NEXT)
    next_ones = verdict.ranking[len(named) : len(named) + count]
    first = named[:suspects]
    return Shown(first, next_ones, len(verdict.ranking) - len(first) - len(next_ones))


def standing_mark(ranked: Ranked, verdict: Verdict) -> Element:
    """Return the marks of somebody: named by the decision, and known to be compromised.

    They differ in shape, too, for those who see the colours alike.
    """
    node = element("span", {"class": "suspect" if ranked.named else "other"})
    if ranked.named:
        append(node, f"▲ {named_word(verdict)}")
    if ranked.id in verdict.compromised:
        append(node, element("span", {"class": "known"}, "◆ compromised"))
    return node


def order(ids: Sequence[str], verdict: Verdict) -> list[str]:
    """Return the ids in the order of the ranking; those not ranked come last."""
    places = {ranked.id: ranked.rank for ranked in verdict.ranking}
    return sorted(ids, key=lambda name: (places.get(name, len(places) + 1), name))


def values_by_layer(verdict: Verdict) -> dict[str, dict[str, float]]:
    """Return the values that the detector that decides gives each layer, by participant."""
    return {score.id: score.by_layer for score in verdict.deciding.scores}
