"""What sections are made of: headings, paragraphs, tables, boxes that scroll, legends."""

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

from ariba_cli.reports.html.markup import Child, append, element

Row = Sequence[Child]


def section(anchor: str, heading: str, *children: Child) -> Element:
    """A section of the page, which can be linked to by `anchor`."""
    return element("section", {"id": anchor}, element("h2", {}, heading), *children)


def paragraph(text: str) -> Element:
    """A paragraph of plain text."""
    return element("p", {}, text)


def note(text: str) -> Element:
    """A paragraph that explains what is beside it."""
    return element("p", {"class": "note"}, text)


def bullets(lines: Iterable[Child]) -> Element:
    """A list, an item a line."""
    return element("ul", {}, *(element("li", {}, line) for line in lines))


def table(
    headers: Sequence[str],
    rows: Iterable[Row],
    *,
    right: Sequence[int] = (),
    heading: int = 0,
    kind: str = "plain",
) -> Element:
    """A table in a box of its own, which scrolls if it is too wide.

    Parameters
    ----------
    right : the columns of numbers, from 1.
    heading : the column that says what a row is of, from 0.
    kind : the class of the table.
    """
    classes = " ".join([kind, *(f"r{column}" for column in right)])
    head = element("tr", {}, *(element("th", {"scope": "col"}, header) for header in headers))
    body = element("tbody", {}, *(_row(row, heading) for row in rows))
    return scrolling(element("table", {"class": classes}, element("thead", {}, head), body))


def _row(row: Row, heading: int) -> Element:
    node = element("tr", {})
    for column, cell in enumerate(row):
        if isinstance(cell, Element) and cell.tag == "td":
            append(node, cell)
        elif column == heading:
            append(node, element("th", {"scope": "row"}, cell))
        else:
            append(node, element("td", {}, cell))
    return node


def pairs(rows: Iterable[tuple[str, Child]]) -> Element:
    """Names and what they stand for, a line each."""
    node = element("dl", {})
    for name, value in rows:
        append(node, element("dt", {}, name))
        append(node, element("dd", {}, value))
    return node


def scrolling(*children: Child) -> Element:
    """A box that is scrolled by itself, also by the keyboard."""
    return element("div", {"class": "scroll", "tabindex": 0}, *children)


def folded(summary: str, *children: Child) -> Element:
    """What is shown on request."""
    return element("details", {}, element("summary", {}, summary), *children)


def figure(picture: Child, *caption: Child) -> Element:
    """A picture with what it shows below it."""
    return element("figure", {}, picture, element("figcaption", {}, *caption))


def code(text: str) -> Element:
    """Text that is copied to the letter."""
    return element("code", {}, text)


def count(number: int, one: str, several: str | None = None) -> str:
    """A number with its noun.

    >>> count(1, "layer"), count(1200, "layer")
    ('1 layer', '1,200 layers')
    """
    return f"{number:,} {one if number == 1 else several or one + 's'}"
