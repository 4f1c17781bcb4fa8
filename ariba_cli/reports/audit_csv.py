"""Verdicts → their rankings as CSV."""

import csv
import io
from collections.abc import Sequence

from ariba_cli.base.errors import InputError
from ariba_cli.base.visible import visible
from ariba_cli.reports.canonical import rounded
from ariba_cli.verdicts.verdict import Ranked, Verdict

# The last four are the wide forms of the first, which some spreadsheets take for the same.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class AuditCsv:
    """The rankings of one or several rounds below one header.

    A line a participant: rank, id, score, share and suspect, and after these the share in each
    of several layers.

    Parameters
    ----------
    first : the verdict whose layers get a column each, where there are several of them.
    with_round : whether the first column says which round a line is of.
    """

    def __init__(self, first: Verdict, *, with_round: bool) -> None:
        layers = [layer.layer for layer in first.layers]
        self._layers = layers if len(layers) > 1 else []
        self._with_round = with_round

    @property
    def header(self) -> bytes:
        """The names of the columns."""
        start = ["round"] if self._with_round else []
        return _line([*start, "rank", "id", "score", "share", "suspect", *map(_cell, self._layers)])

    def rows(self, verdict: Verdict, name: str) -> bytes:
        """The lines of one round.

        Raises
        ------
        InputError
            When it has several layers, and one of them has no column.
        """
        layers = [layer.layer for layer in verdict.layers]
        unknown = [layer for layer in layers if layer not in self._layers]
        if unknown and (self._layers or len(layers) > 1):
            raise InputError(
                f"it has a layer '{unknown[0]}' that the first round lacks, and CSV has one "
                "header; use -f json"
            )
        return b"".join(self._row(ranked, name) for ranked in verdict.ranking)

    def _row(self, ranked: Ranked, name: str) -> bytes:
        start = [_cell(name)] if self._with_round else []
        suspect = "yes" if ranked.suspect else "no"
        shares = [ranked.shares.get(layer) for layer in self._layers]
        return _line(
            [
                *start,
                ranked.rank,
                _cell(ranked.id),
                ranked.score,
                rounded(ranked.share),
                suspect,
                *("" if share is None else rounded(share) for share in shares),
            ]
        )


def _line(cells: Sequence[object]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode("utf-8")


def _cell(text: str) -> str:
    """Untrusted text that no spreadsheet takes for a formula."""
    shown = visible(text)
    return "'" + shown if text.startswith(_FORMULA_STARTS) else shown
