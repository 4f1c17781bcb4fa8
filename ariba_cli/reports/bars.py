"""The bar of a share, and what stands behind it: what the tables of an audit have in common."""

from ariba_cli.base.visible import visible
from ariba_cli.reports.text import Paper
from ariba_cli.verdicts.verdict import Ranked, Verdict

_NARROWEST = 10
_WIDEST = 50


def room_for_bar(verdict: Verdict, paper: Paper, beside: int) -> int:
    """How many cells are left for a bar where all columns but the names' take so many."""
    longest = max(len(visible(ranked.id)) for ranked in verdict.ranking)
    return paper.width - beside - max(longest, len("participant"))


def bar_width(room: int) -> int:
    """How many of those it takes; too few are no bar."""
    return min(max(room, _NARROWEST), _WIDEST)


def bar_header(line: float, paper: Paper) -> str:
    """What the upright line of the bars stands for."""
    return f"| k/n = {line:.3g}" if paper.ascii_only else f"│ k̃/n = {line:.3g}"


def share_bar(share: float, line: float, width: int, *, ascii_only: bool) -> str:
    """A bar of `width` cells for a share in [0, 1], with an upright line at `line`."""
    full, mark = ("#", "|") if ascii_only else ("━", "│")
    cells = [full if cell < round(share * width) else " " for cell in range(width)]
    cells[min(int(line * width), width - 1)] = mark
    return "".join(cells)


def standing(ranked: Ranked, verdict: Verdict) -> str:
    """Whether it is a suspect, and whether it is known to be compromised."""
    words = ["suspect"] if ranked.suspect else []
    if verdict.evaluation is not None and ranked.id in verdict.evaluation.compromised:
        words.append("compromised")
    return ", ".join(words)
