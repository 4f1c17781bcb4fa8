"""The updates that point the same way: the cosines of all pairs, those who are alike together."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from ariba_cli.reports.html.blocks import figure, note, scrolling, section
from ariba_cli.reports.html.drawing import label, rectangle, slanted, svg
from ariba_cli.reports.html.heat import LEVELS, level_of, scale_legend
from ariba_cli.reports.html.markup import Child, short
from ariba_cli.verdicts.evidence import Similarity
from ariba_cli.verdicts.verdict import Verdict

_CELL = 12
_LETTER = 6.5
_NAME = 14
# Each cell of a larger table has no tip of its own.
_MOST_TIPS = 50


def similarity_section(verdict: Verdict) -> Element | None:
    """Return the cosines of those who stand out most; None where the report lacks them."""
    found = verdict.similarity
    if found is None or len(found.ids) < 2:
        return None
    limit = _largest(found)
    text = (
        "The cosine of each pair of updates, without what all have in common. Similar updates "
        "are side by side, so a group is a square on the diagonal."
    )
    picture = figure(scrolling(_picture(found, limit, verdict)), scale_legend(limit))
    return section("similarity", "Which updates are alike", note(text), picture)


def by_likeness(cosines: Sequence[Sequence[float]]) -> list[int]:
    """Return an order in which each follows the one before it that it is most similar to.

    It is the order in which Prim's algorithm takes up the tree of largest cosines, from the
    most similar pair on, so that a group stands together.

    >>> by_likeness([[1, 0, 0.9], [0, 1, 0.1], [0.9, 0.1, 1]])
    [0, 2, 1]
    """
    n = len(cosines)
    pairs = [(-cosines[one][other], one, other) for one in range(n) for other in range(one)]
    order = [min(pairs)[2]]
    best = {other: cosines[order[0]][other] for other in range(n) if other != order[0]}
    while best:
        nearest = min(best, key=lambda one: (-best[one], one))
        del best[nearest]
        order.append(nearest)
        best = {one: max(value, cosines[nearest][one]) for one, value in best.items()}
    return order


def _largest(found: Similarity) -> float:
    """Return the largest absolute cosine of two different participants."""
    return max(
        abs(value)
        for place, row in enumerate(found.cosines)
        for other, value in enumerate(row)
        if place != other
    )


def _picture(found: Similarity, limit: float, verdict: Verdict) -> Element:
    order = by_likeness(found.cosines)
    named = {one.id for one in verdict.suspects}
    names = [short(found.ids[one], _NAME) for one in order]
    left = 10 + _LETTER * max(map(len, names))
    side = _CELL * len(order)
    parts: list[Child] = []
    for row, one in enumerate(order):
        kind = "suspect" if found.ids[one] in named else "other"
        y = row * _CELL
        parts.append(label(left - 6, y + _CELL - 2, names[row], f"end {kind}"))
        parts.append(slanted(left + y + _CELL - 3, side + 8, names[row], f"end {kind}"))
        for column, other in enumerate(order):
            value = found.cosines[one][other]
            level = 0 if one == other else level_of(value, limit)
            tip = f"{names[row]} and {names[column]}: {value:.2f}"
            shown = tip if len(order) <= _MOST_TIPS and one != other else None
            x = left + column * _CELL
            parts.append(rectangle(x, y, _CELL, _CELL, f"q{level + LEVELS}", shown))
    height = side + 14 + max(map(len, names)) * 4.8
    return svg(left + side + 8, height, "Cosines of all pairs of updates", *parts)
