"""The bar of a score, and what stands behind it: what the tables of an audit have in common."""

from dataclasses import dataclass

from ariba_cli.base.visible import visible
from ariba_cli.reports.text import Paper
from ariba_cli.reports.words import expected_share
from ariba_cli.verdicts.verdict import Ranked, Verdict

_NARROWEST = 10
_WIDEST = 50


@dataclass(frozen=True)
class Bars:
    """The bars of a ranking, on one scale.

    Attributes
    ----------
    largest : float
        The value of a bar that takes all of the width; shares are on a scale up to 1.
    line : float, optional
        The share that everybody would have if nobody stood out.
    """

    largest: float
    line: float | None

    @classmethod
    def of(cls, verdict: Verdict) -> "Bars":
        """Return the scale for a ranking that is not empty."""
        line = expected_share(verdict)
        largest = 1.0 if line is not None else max(one.value for one in verdict.ranking)
        return cls(largest, line)

    def header(self, paper: Paper, *, short: bool = False) -> str:
        """Return what the upright line of the bars stands for; nothing where there is none."""
        if self.line is None:
            return ""
        name = "| k/n" if paper.ascii_only else "│ k̃/n"
        return name if short else f"{name} = {self.line:.3g}"

    def draw(self, value: float, width: int, *, ascii_only: bool) -> str:
        """Return a bar of `width` cells; what is below zero has none."""
        full, mark = ("#", "|") if ascii_only else ("━", "│")
        part = value / self.largest if self.largest > 0 else 0.0
        cells = [full if cell < round(part * width) else " " for cell in range(width)]
        if self.line is not None:
            cells[min(int(self.line * width), width - 1)] = mark
        return "".join(cells)


def room_for_bar(ids: list[str], paper: Paper, beside: int) -> int:
    """Return how many cells are left for a bar where all columns but the ids' take so many."""
    longest = max(len(visible(name)) for name in ids)
    return paper.width - beside - max(longest, len("participant"))


def bar_width(room: int) -> int:
    """Return how many of those it takes; too few are no bar."""
    return min(max(room, _NARROWEST), _WIDEST)


def standing(ranked: Ranked, verdict: Verdict) -> str:
    """Return whether it is a suspect, and whether it is known to be compromised."""
    words = ["suspect"] if ranked.suspect else []
    if ranked.id in verdict.compromised:
        words.append("compromised")
    return ", ".join(words)
