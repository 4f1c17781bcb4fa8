"""Verdicts → their rankings as CSV."""

import csv
import io
from collections.abc import Sequence

from ariba_cli.base.errors import InputError
from ariba_cli.base.visible import visible
from ariba_cli.reports.canonical import rounded
from ariba_cli.reports.words import named_word
from ariba_cli.verdicts.ranked import Ranked
from ariba_cli.verdicts.verdict import Verdict

# The last four are the wide forms of the first, which some spreadsheets take for the same.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class AuditCsv:
    """The rankings of one or several rounds below one header.

    Each line is for one participant: rank, id, score, share, p-value, and whether it is flagged,
    or a suspect; then the value in each of several layers, and the score by each of the other
    detectors.

    Parameters
    ----------
    first : Verdict
        The verdict whose layers and detectors get a column each, where there are several of them.
    with_round : bool
        True to name the round of a line in the first column.
    """

    def __init__(self, first: Verdict, *, with_round: bool) -> None:
        layers = _layers(first)
        self._layers = layers if len(layers) > 1 else []
        self._others = [one.name for one in first.detectors if one is not first.deciding]
        self._named = named_word(first)
        self._with_round = with_round

    @property
    def header(self) -> bytes:
        """The line with the names of the columns."""
        start = ["round"] if self._with_round else []
        layers = map(_cell, self._layers)
        columns = ("rank", "id", "score", "share", "p_value", self._named)
        return _line([*start, *columns, *layers, *self._others])

    def rows(self, verdict: Verdict, name: str) -> bytes:
        """Return the lines of one round.

        Raises
        ------
        InputError
            When it has several layers, and one of them has no column.
        """
        layers = _layers(verdict)
        unknown = [layer for layer in layers if layer not in self._layers]
        if unknown and (self._layers or len(layers) > 1):
            raise InputError(
                f"it has a layer '{unknown[0]}' that the first round lacks, but CSV has one "
                "header; use -f json"
            )
        own = {one.id: one for one in verdict.deciding.scores}
        others = {
            one.name: {score.id: score.value for score in one.scores} for one in verdict.detectors
        }
        lines = []
        for ranked in verdict.ranking:
            by_layer = own[ranked.id].by_layer
            values = [by_layer.get(layer) for layer in self._layers]
            values += [others.get(other, {}).get(ranked.id) for other in self._others]
            lines.append(self._row(ranked, values, name))
        return b"".join(lines)

    def _row(self, ranked: Ranked, values: Sequence[float | None], name: str) -> bytes:
        start = [_cell(name)] if self._with_round else []
        share = "" if ranked.share is None else rounded(ranked.share)
        chance = "" if ranked.p_value is None else rounded(ranked.p_value)
        named = "yes" if ranked.named else "no"
        known = ["" if value is None else rounded(value) for value in values]
        score = rounded(ranked.score)
        return _line([*start, ranked.rank, _cell(ranked.id), score, share, chance, named, *known])


def _layers(verdict: Verdict) -> list[str]:
    """Return the layers that may have a value of their own."""
    scores = verdict.deciding.scores
    if scores and not any(one.by_layer for one in scores):
        return []
    return [layer.layer for layer in verdict.layers]


def _line(cells: Sequence[object]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode("utf-8")


def _cell(text: str) -> str:
    """Return untrusted text in a form that no spreadsheet takes for a formula."""
    shown = visible(text)
    return "'" + shown if text.startswith(_FORMULA_STARTS) else shown
