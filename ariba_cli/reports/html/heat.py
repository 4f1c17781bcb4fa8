"""Small heat maps: values as colours on one scale that is symmetric about zero."""

import math
from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

from ariba_cli.reports.html.drawing import at, path, rectangle, svg
from ariba_cli.reports.html.markup import Child, element, number

# Levels on either side of zero; the style sheet has a colour for each.
LEVELS = 10
# From this level on a negative value has a dash, for those who see the two colours alike.
_DASHED = 2
# A map of more values has neither dashes nor a tip on each value.
_SMALL = 25
_SIDE = 150
_LARGEST_CELL = 25
_SMALLEST_CELL = 6


def largest(groups: Iterable[Sequence[float]]) -> float:
    """Return the absolute value at the ends of the scale."""
    return max((abs(value) for group in groups for value in group), default=0.0)


def heat_map(values: Sequence[float], shape: tuple[int, int], limit: float, title: str) -> Element:
    """Return a picture of the values row by row; the last row may be short.

    Parameters
    ----------
    values : sequence of float
        The values to draw.
    shape : tuple of int
        The number of rows and of columns.
    limit : float
        The absolute value at the ends of the scale.
    title : str
        The title of the picture.
    """
    columns = max(min(shape[1], len(values)), 1)
    rows = max(-(-len(values) // columns), 1)
    cell = min(max(_SIDE / max(rows, columns), _SMALLEST_CELL), _LARGEST_CELL)
    draw = _tipped if len(values) <= _SMALL else _plain
    parts = draw(values, columns, cell, limit)
    return svg(columns * cell, rows * cell, title, *parts, kind="heat")


def _tipped(values: Sequence[float], columns: int, cell: float, limit: float) -> list[Child]:
    """Return a rectangle a value, which tells the value when one points at it."""
    parts: list[Child] = []
    dashes = ""
    for place, value in enumerate(values):
        row, column = divmod(place, columns)
        level = level_of(value, limit)
        x, y = column * cell, row * cell
        parts.append(rectangle(x, y, cell, cell, f"q{level + LEVELS}", f"{value:.3g}"))
        if level <= -_DASHED:
            dashes += at(x + cell * 0.32, y + cell / 2, f"h{number(cell * 0.36)}")
    if dashes:
        parts += [path(dashes, "dash-edge"), path(dashes, "dash")]
    return parts


def _plain(values: Sequence[float], columns: int, cell: float, limit: float) -> list[Child]:
    """Return a path a level, which takes a tenth of the bytes."""
    square = f"h{number(cell)}v{number(cell)}h{number(-cell)}z"
    squares: dict[int, str] = {}
    for place, value in enumerate(values):
        row, column = divmod(place, columns)
        level = level_of(value, limit) + LEVELS
        squares[level] = squares.get(level, "") + at(column * cell, row * cell, square)
    return [path(squares[level], f"q{level}") for level in sorted(squares)]


def level_of(value: float, limit: float) -> int:
    """Return the level of a value, from −10 to 10."""
    if not limit or not math.isfinite(value):
        return 0
    return round(max(-1.0, min(value / limit, 1.0)) * LEVELS)


def scale_legend(limit: float) -> Element:
    """Return the scale with the values at its ends."""
    cell = 9
    bar = svg(
        (2 * LEVELS + 1) * cell,
        12,
        "Scale of the values",
        *(rectangle(place * cell, 0, cell, 12, f"q{place}") for place in range(2 * LEVELS + 1)),
        kind="heat",
    )
    ends = [element("span", {}, text) for text in (f"−{limit:.3g}", f"{limit:.3g}")]
    return element("div", {"class": "scale"}, ends[0], bar, ends[1])
