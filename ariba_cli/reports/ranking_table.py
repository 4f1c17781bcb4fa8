"""The ranking of an audit as a table, with a bar for each participant."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ariba_cli.base.visible import visible
from ariba_cli.reports.bars import Bars, bar_width, room_for_bar, standing
from ariba_cli.reports.text import Paper, is_narrow, plain_table, sentence
from ariba_cli.reports.words import marks_fragments, p_in_words, value_in_words
from ariba_cli.verdicts.ranked import Ranked
from ariba_cli.verdicts.verdict import Score, Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

# What the other columns take: rank, numbers and all gaps; and the words at the end.
_ALWAYS = 19
_SCORE = 8
_NAMED = len("suspect")
_COMPROMISED = len("suspect, compromised")
_CHANCE = 9
_NARROWEST_BAR = 6
_NARROW_GAPS = 8
_NUMBER = 5


def ranking_part(verdict: Verdict, paper: Paper, top: int) -> "list[RenderableType]":
    """Return the first participants of the ranking, and the number of the others."""
    shown = verdict.ranking[:top]
    draw = _narrow if is_narrow(paper) else _wide
    parts: list[RenderableType] = [draw(verdict, shown, paper)]
    rest = verdict.ranking[top:]
    if rest:
        values = " to ".join(
            dict.fromkeys(value_in_words(verdict, one.value) for one in (rest[-1], rest[0]))
        )
        what = "share" if marks_fragments(verdict) else "score"
        plural = "" if values.count(" to ") == 0 else "s"
        parts.append(
            sentence(f"and {len(rest):,} more with {what}{plural} {values} (--top all shows them)")
        )
    return [*parts, ""]


def _wide(verdict: Verdict, shown: Sequence[Ranked], paper: Paper) -> "Table":
    """Return a row a participant, with its share in each layer if there is room, else the highest.

    With several detectors there is a column for each of the others, with the rank that it gives.
    """
    from rich.text import Text

    bars = Bars.of(verdict)
    ids = [one.id for one in shown]
    marks = marks_fragments(verdict)
    several = marks and len(verdict.marked_layers) > 1
    others = _other_ranks(verdict)
    beside = _ALWAYS + (_COMPROMISED if verdict.compromised else _NAMED)
    beside += (_SCORE if marks and not several else 0) + sum(len(name) + 2 for name in others)
    beside += _CHANCE if verdict.by_level else 0
    header, cells = _by_layer(verdict, ids)
    room = room_for_bar(ids, paper, beside + len(header))
    if several and room < max(len(bars.header(paper)), 1):
        header, cells = _highest(verdict, ids)
        widest = max(map(len, (header, *cells.values())))
        room = room_for_bar(ids, paper, beside + widest)
    with_score = marks and not several
    columns = [("rank", "right"), ("participant", "left")]
    columns += [("score", "right")] if with_score else []
    columns += [("p-value", "right")] if verdict.by_level else []
    columns += [("share" if marks else "score", "right"), (bars.header(paper), "left")]
    columns += [(header, "left")] if several else []
    table = plain_table(*columns, *((name, "right") for name in others), ("", "left"))
    for one in shown:
        bar = bars.draw(one, bar_width(room), ascii_only=paper.ascii_only)
        table.add_row(
            str(one.rank),
            Text(visible(one.id), overflow="fold"),
            *([f"{one.score:,}"] if with_score else []),
            *([p_in_words(one.p_value)] if verdict.by_level else []),
            value_in_words(verdict, one.value),
            Text(bar, no_wrap=True),
            *([sentence(cells[one.id])] if several else []),
            *(ranks.get(one.id, "-") for ranks in others.values()),
            Text(standing(one, verdict)),
            style="bold red" if one.named else "",
        )
    return table


def _narrow(verdict: Verdict, shown: Sequence[Ranked], paper: Paper) -> "Table":
    """Return rank, id, value and its bar, and below them the facts about each participant."""
    from rich.text import Text

    bars = Bars.of(verdict)
    words = {one.id: standing(one, verdict).replace(", ", "\n") for one in shown}
    widest = max(len(word) for said in words.values() for word in said.split("\n"))
    names = max(len(visible(one.id)) for one in shown)
    numbers = max(_NUMBER, *(len(value_in_words(verdict, one.value)) for one in shown))
    ranks = len(str(len(verdict.ranking)))
    width = max(_NARROWEST_BAR, paper.width - ranks - names - numbers - widest - _NARROW_GAPS)
    what = "share" if marks_fragments(verdict) else "score"
    header = bars.header(paper, short=True)
    table = plain_table(
        ("", "right"), ("id", "left"), (what, "right"), (header, "left"), ("", "left")
    )
    for one in shown:
        bar = bars.draw(one, width, ascii_only=paper.ascii_only)
        table.add_row(
            str(one.rank),
            Text(visible(one.id), overflow="fold"),
            value_in_words(verdict, one.value),
            Text(bar, no_wrap=True),
            Text(words[one.id]),
            style="bold red" if one.named else "",
        )
    return table


def _other_ranks(verdict: Verdict) -> dict[str, Mapping[str, str]]:
    """Return the rank of each participant by each of the other detectors."""
    return {
        one.name: {name: str(place) for place, name in enumerate(one.ids, 1)}
        for one in verdict.detectors
        if one.name != verdict.decision.detector
    }


def _scores(verdict: Verdict, ids: Sequence[str]) -> dict[str, Score]:
    wanted = set(ids)
    return {one.id: one for one in verdict.deciding.scores if one.id in wanted}


def _by_layer(verdict: Verdict, ids: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return the shares in each layer, below its number; a dash where there is none."""
    numbers = {one.layer: place for place, one in enumerate(verdict.marked_layers, 1) if one.marked}
    header = " ".join(f"{number:>4}" for number in numbers.values())
    cells = {}
    for name, score in _scores(verdict, ids).items():
        own = (score.by_layer.get(layer) for layer in numbers)
        cells[name] = " ".join("   -" if value is None else f"{value:4.2f}" for value in own)
    return header, cells


def _highest(verdict: Verdict, ids: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return the highest share, and its layer by the shorter name that `--layer` takes."""
    cells = {}
    for name, score in _scores(verdict, ids).items():
        own = [one.layer for one in verdict.layers if one.layer in score.by_layer]
        layer = max(own, key=lambda one: score.by_layer[one])
        value = value_in_words(verdict, score.by_layer[layer])
        cells[name] = f"{value} {visible(layer.removesuffix('.weight'))}"
    return "highest in", cells
