"""The bar of a score, and its scale: the common part of the tables of an audit."""

import math
from dataclasses import dataclass

from ariba_cli.base.visible import visible
from ariba_cli.reports.text import Paper
from ariba_cli.reports.words import expected_share, named_word
from ariba_cli.verdicts.ranked import Ranked
from ariba_cli.verdicts.verdict import Verdict

_NARROWEST = 10
_WIDEST = 50
# Where nobody comes near the line, it stands here.
_PAST_LINE = 1.5
_LEAST = 1e-30


@dataclass(frozen=True)
class Bars:
    """The bars of a ranking, on one scale.

    The length of a bar is the share; at a level it is the negative logarithm of the p-value;
    for any other score it is the score divided by the largest.

    Attributes
    ----------
    largest : float
        The value whose bar takes all of the width.
    line : float, optional
        The place of an upright line: the share that everybody would have if nobody stood out,
        or the p-value that flags somebody alone.
    line_name : str
        The meaning of the line.
    """

    largest: float
    line: float | None = None
    line_name: str = ""

    @classmethod
    def of(cls, verdict: Verdict) -> "Bars":
        """Return the scale for a ranking that is not empty."""
        share, alpha = expected_share(verdict), verdict.decision.alpha
        if alpha is not None:
            line = -math.log10(alpha / len(verdict.ranking))
            longest = max(map(_length, verdict.ranking))
            return cls(max(longest, _PAST_LINE * line), line, "α/n")
        if share is not None:
            return cls(1.0, share, f"k_est/n = {share:.3g}")
        return cls(max(one.value for one in verdict.ranking))

    def header(self, paper: Paper, *, short: bool = False) -> str:
        """Return the meaning of the upright line of the bars; the empty string without one."""
        if self.line is None:
            return ""
        name = self.line_name.partition(" ")[0] if short else self.line_name
        if paper.ascii_only:
            return f"| {name.replace('α', 'alpha')}"
        return f"│ {name}"

    def draw(self, ranked: Ranked, width: int, *, ascii_only: bool) -> str:
        """Return a bar of `width` cells; values below zero have none."""
        full, mark = ("#", "|") if ascii_only else ("━", "│")
        value = _length(ranked) if ranked.flagged is not None else ranked.value
        part = value / self.largest if self.largest > 0 else 0.0
        cells = [full if cell < round(part * width) else " " for cell in range(width)]
        if self.line is not None:
            cells[min(int(self.line / self.largest * width), width - 1)] = mark
        return "".join(cells)


def _length(ranked: Ranked) -> float:
    """Return −log10 of a p-value: the unlikeliness of a score among the honest."""
    return -math.log10(max(1.0 if ranked.p_value is None else ranked.p_value, _LEAST))


def room_for_bar(ids: list[str], paper: Paper, beside: int) -> int:
    """Return the number of cells left for a bar where all columns but the ids' take `beside`."""
    longest = max(len(visible(name)) for name in ids)
    return paper.width - beside - max(longest, len("participant"))


def bar_width(room: int) -> int:
    """Return the number of those that it takes; too few are not a bar."""
    return min(max(room, _NARROWEST), _WIDEST)


def standing(ranked: Ranked, verdict: Verdict) -> str:
    """Return whether the decision names it, and whether it is known to be compromised."""
    words = [named_word(verdict)] if ranked.named else []
    if ranked.id in verdict.compromised:
        words.append("compromised")
    return ", ".join(words)
