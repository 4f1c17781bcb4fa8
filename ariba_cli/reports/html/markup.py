"""The elements of a page, of which data can only be the text."""

import re
from collections.abc import Mapping
from xml.etree.ElementTree import Element, tostring

from ariba_cli.base.visible import harmless, visible

# What the values of attributes are made of here. Nobody's name is ever in one.
_VALUE = re.compile(r"[A-Za-z0-9 .,:;#()'/=+-]*")
# After these a line ends in the source of the page.
_BLOCKS = frozenset(
    {"body", "details", "dd", "div", "dl", "dt", "figcaption", "figure", "footer", "h1", "h2"}
    | {"h3", "h4", "head", "header", "html", "li", "main", "meta", "nav", "ol", "p", "section"}
    | {"summary", "svg", "table", "tbody", "thead", "tr", "ul"}
)

Child = Element | str
Attributes = Mapping[str, str | float]


def element(tag: str, attributes: Attributes, *children: Child) -> Element:
    """Return an element with its attributes and its content.

    Parameters
    ----------
    tag : str
        The name of the element.
    attributes : dict of str to str or float
        The attributes by name; numbers are written as `number` does.
    *children : Child
        Elements, and text: text of others in the form of `visible`. Invisible characters of any
        text are written as escapes.

    Raises
    ------
    ValueError
        When a value has a character that no value written in the code has.
    """
    node = Element(tag)
    for name, value in attributes.items():
        text = value if isinstance(value, str) else number(value)
        if not _VALUE.fullmatch(text):
            raise ValueError(f"{text!r} cannot be the value of an attribute")
        node.set(name, text)
    if tag in _BLOCKS:
        node.tail = "\n"
    for child in children:
        append(node, child)
    return node


def append(node: Element, child: Child) -> None:
    """Put an element or text at the end of an element."""
    if isinstance(child, Element):
        node.append(child)
        return
    text = _shown(child)
    if len(node):
        node[-1].tail = (node[-1].tail or "") + text
    else:
        node.text = (node.text or "") + text


def style(sheet: str) -> Element:
    """Return a style sheet, which is written without any escapes."""
    node = Element("style")
    node.text = sheet
    node.tail = "\n"
    return node


def serialise(html: Element) -> bytes:
    """Return the bytes of a page."""
    return ("<!DOCTYPE html>\n" + tostring(html, encoding="unicode", method="html")).encode("utf-8")


def number(value: float) -> str:
    """Return a number in the form for attributes: with one decimal, unless it has none.

    >>> number(3), number(2.25), number(-0.01)
    ('3', '2.2', '0.0')
    """
    if isinstance(value, int):
        return str(value)
    text = f"{value:.1f}"
    return "0.0" if text == "-0.0" else text


def short(text: str, length: int) -> str:
    """Return untrusted text in that many characters; names often differ at the end.

    The middle is left out.

    >>> short("participant-0042", 9)
    'part…0042'
    """
    shown = visible(text)
    if len(shown) <= length:
        return shown
    end = (length - 1) // 2
    return f"{shown[: length - 1 - end]}…{shown[-end:]}"


def _shown(text: str) -> str:
    """Return the text after `harmless` made it safe, with the spaces at its ends."""
    if text.isascii() and text.isprintable():
        return text
    core = text.strip(" ")
    start = " " if text.startswith(" ") else ""
    end = " " if core and text.endswith(" ") else ""
    return start + harmless(core) + end
