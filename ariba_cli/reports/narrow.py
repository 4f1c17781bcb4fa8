"""The ranking where there is no room for the wide one, as on half a terminal."""

from typing import TYPE_CHECKING

from ariba_cli.base.visible import visible
from ariba_cli.reports.bars import share_bar, standing
from ariba_cli.reports.text import Paper, plain_table
from ariba_cli.reports.words import expected_share
from ariba_cli.verdicts.verdict import Verdict

if TYPE_CHECKING:
    from rich.table import Table

_WIDEST = 64
_NARROWEST_BAR = 6
_SHARE = 5
_GAPS = 8


def is_narrow(paper: Paper) -> bool:
    """Whether the wide ranking would break its words."""
    return paper.width < _WIDEST


def narrow_ranking(verdict: Verdict, paper: Paper) -> "Table":
    """Rank, id, share and its bar, and below each other what is to be said of a participant."""
    from rich.text import Text

    line = expected_share(verdict)
    words = {one.id: standing(one, verdict).replace(", ", "\n") for one in verdict.ranking}
    widest = max(len(word) for said in words.values() for word in said.split("\n"))
    names = max(len(visible(one.id)) for one in verdict.ranking)
    ranks = len(str(len(verdict.ranking)))
    width = max(_NARROWEST_BAR, paper.width - ranks - names - _SHARE - widest - _GAPS)
    header = "| k/n" if paper.ascii_only else "│ k̃/n"
    table = plain_table(
        ("", "right"), ("id", "left"), ("share", "right"), (header, "left"), ("", "left")
    )
    for one in verdict.ranking:
        table.add_row(
            str(one.rank),
            Text(visible(one.id), overflow="fold"),
            f"{one.share:.3f}",
            Text(share_bar(one.share, line, width, ascii_only=paper.ascii_only), no_wrap=True),
            Text(words[one.id]),
            style="bold red" if one.suspect else "",
        )
    return table
