"""Inline SVG: pictures, shapes and legends. Colours are classes of the style sheet."""

from xml.etree.ElementTree import Element

from ariba_cli.reports.html.markup import Attributes, Child, append, element, number

# Shapes around the point that the path is at, each to be told from the others without colour.
SHAPES = (
    "m0 -4l3.7 6.4h-7.4z",
    "m-3 -3h6v6h-6z",
    "m0 -4.2l4.2 4.2l-4.2 4.2l-4.2 -4.2z",
    "m0 4l3.7 -6.4h-7.4z",
    "m-3.4 -1.2h2.2v-2.2h2.4v2.2h2.2v2.4h-2.2v2.2h-2.4v-2.2h-2.2z",
    "m-4 -1.4l8 0l-6.4 4.6l2.4 -7.2l2.4 7.2z",
)
CROSS = "m-2.6 -2.6l5.2 5.2m0 -5.2l-5.2 5.2"
DOT = "h0"


def svg(width: float, height: float, title: str, *children: Child, kind: str = "chart") -> Element:
    """Return a picture of that many pixels, with a title for those who do not see it."""
    attributes: Attributes = {
        "class": kind,
        "role": "img",
        "width": width,
        "height": height,
        "viewBox": f"0 0 {number(width)} {number(height)}",
    }
    return element("svg", attributes, element("title", {}, title), *children)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Element:
    """Return a straight line."""
    return element("line", {"class": kind, "x1": x1, "y1": y1, "x2": x2, "y2": y2})


def rectangle(
    x: float, y: float, width: float, height: float, kind: str, tip: str | None = None
) -> Element:
    """Return a rectangle, with text that is shown when one points at it."""
    attributes: Attributes = {"class": kind, "x": x, "y": y, "width": width, "height": height}
    return _with_tip(element("rect", attributes), tip)


def path(data: str, kind: str, tip: str | None = None) -> Element:
    """Return the shape that the data of the path draw."""
    return _with_tip(element("path", {"class": kind, "d": data}), tip)


def label(x: float, y: float, text: str, kind: str = "") -> Element:
    """Return text, whose class sets the side of the point on which it stands."""
    return element("text", {"class": kind, "x": x, "y": y} if kind else {"x": x, "y": y}, text)


def slanted(x: float, y: float, text: str, kind: str) -> Element:
    """Return text that rises towards the point at which it ends."""
    turn = f"rotate(-45 {number(x)} {number(y)})"
    return element("text", {"class": kind, "x": x, "y": y, "transform": turn}, text)


def at(x: float, y: float, shape: str) -> str:
    """Return path data of a shape at a point.

    >>> at(1.0, 2.0, DOT)
    'M1.0 2.0h0'
    """
    return f"M{number(x)} {number(y)}{shape}"


def swatch(shape: str, kind: str) -> Element:
    """Return a shape in the size for a legend."""
    attributes: Attributes = {
        "class": "swatch",
        "width": 14,
        "height": 14,
        "viewBox": "0 0 14 14",
        "aria-hidden": "true",
    }
    return element("svg", attributes, path(at(7.0, 7.0, shape), kind))


def legend(*entries: tuple[Element, str]) -> Element:
    """Return a list of the meanings of the shapes."""
    node = element("ul", {"class": "legend"})
    for picture, text in entries:
        picture.tail = None
        append(node, element("li", {}, picture, " ", text))
    return node


def _with_tip(node: Element, tip: str | None) -> Element:
    if tip is not None:
        append(node, element("title", {}, tip))
    return node
