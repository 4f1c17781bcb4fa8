"""The parts of sections: headings, paragraphs, tables, boxes that scroll, legends."""

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

from ariba_cli.reports.html.markup import Child, append, element

Row = Sequence[Child]

_MOST_ON_PAPER = 300
# A table of no more rows is not broken on paper.
_ON_ONE_PAGE = 16


def section(anchor: str, heading: str, *children: Child) -> Element:
    """Return a section of the page, which can be linked to by `anchor`."""
    return element("section", {"id": anchor}, element("h2", {}, heading), *children)


def paragraph(text: str) -> Element:
    """Return a paragraph of plain text."""
    return element("p", {}, text)


def note(text: str) -> Element:
    """Return a paragraph that explains its neighbour."""
    return element("p", {"class": "note"}, text)


def bullets(lines: Iterable[Child]) -> Element:
    """Return a list, an item a line."""
    return element("ul", {}, *(element("li", {}, line) for line in lines))


def table(
    headers: Sequence[str],
    rows: Iterable[Row],
    *,
    right: Sequence[int] = (),
    heading: int = 0,
    kind: str = "plain",
) -> Element:
    """Return a table in a box of its own, which scrolls if it is too wide.

    Parameters
    ----------
    headers : sequence of str
        The headers of the columns.
    rows : iterable of sequence of Child
        The cells of each row.
    right : sequence of int, optional
        The columns of numbers, from 1.
    heading : int, optional
        The column that names the subject of a row, from 0.
    kind : str, optional
        The class of the table.
    """
    body = element("tbody", {}, *(_row(row, heading) for row in rows))
    short = ["short"] if len(body) <= _ON_ONE_PAGE else []
    classes = " ".join([kind, *short, *(f"r{column}" for column in right)])
    head = element("tr", {}, *(element("th", {"scope": "col"}, header) for header in headers))
    return scrolling(element("table", {"class": classes}, element("thead", {}, head), body))


def _row(row: Row, heading: int) -> Element:
    node = element("tr", {})
    for column, cell in enumerate(row):
        if isinstance(cell, Element) and cell.tag == "td":
            append(node, cell)
        elif column == heading:
            name = element("span", {"class": "name"}, cell)
            append(node, element("th", {"scope": "row"}, name))
        else:
            append(node, element("td", {}, cell))
    return node


def pairs(rows: Iterable[tuple[str, Child]]) -> Element:
    """Return names and their meanings, a line each."""
    node = element("dl", {})
    for name, value in rows:
        append(node, element("dt", {}, name))
        append(node, element("dd", {}, value))
    return node


def scrolling(*children: Child) -> Element:
    """Return a box that is scrolled by itself, also by the keyboard."""
    return element("div", {"class": "scroll", "tabindex": 0}, *children)


def folded(summary: str, *children: Child, rows: int = 0) -> Element:
    """Return content that is shown on request, and on paper, unless it is a very long table."""
    attributes = {"class": "long"} if rows > _MOST_ON_PAPER else {}
    return element("details", attributes, element("summary", {}, summary), *children)


def figure(picture: Child, *caption: Child) -> Element:
    """Return a picture with a caption below it."""
    return element("figure", {}, picture, element("figcaption", {}, *caption))


def code(text: str) -> Element:
    """Return text that is copied to the letter."""
    return element("code", {}, text)


def count(number: int, one: str, several: str | None = None) -> str:
    """Return a number with its noun.

    >>> count(1, "layer"), count(1200, "layer")
    ('1 layer', '1,200 layers')
    """
    return f"{number:,} {one if number == 1 else several or one + 's'}"
