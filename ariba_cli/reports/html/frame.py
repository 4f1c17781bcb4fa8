"""The frame of every page: its head with its policy, and the links to its sections."""

import base64
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from xml.etree.ElementTree import Element

from ariba_cli.base.visible import visible
from ariba_cli.reports.html.markup import element, style


def head(title: str, more_css: str = "", sha256: str | None = None) -> Element:
    """Return the head of a page that loads nothing, and runs nothing.

    Parameters
    ----------
    title : str
        The title of the page.
    more_css : str, optional
        The rules that its style sheet has beside those of all pages.
    sha256 : str, optional
        The `result_sha256` of the report, printed with the title at the foot of each page.
    """
    sheet = _sheet() + more_css
    if sha256 is not None:
        sheet += _foot(f"{title}\nresult_sha256 {visible(sha256)}")
    digest = base64.b64encode(hashlib.sha256(sheet.encode("utf-8")).digest()).decode("ascii")
    # Nothing may be loaded, not even an icon, and nothing run or sent; the one style sheet is
    # known by its hash.
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("meta", {"name": "referrer", "content": "no-referrer"}),
        element("title", {}, title),
        style(sheet),
    )


def header(eyebrow: str, title: str, facts: Iterable[str]) -> Element:
    """Return the top of a page: its kind, its title, and a line of facts."""
    words = (element("span", {}, one) for one in facts)
    return element(
        "header",
        {},
        element("p", {"class": "eyebrow"}, eyebrow),
        element("h1", {}, title),
        element("p", {"class": "facts"}, *words),
    )


def navigation(sections: Iterable[Element]) -> Element:
    """Return links to sections, by their headings."""
    links = (
        element("li", {}, element("a", {"href": f"#{one.get('id')}"}, one[0].text or ""))
        for one in sections
    )
    return element("nav", {"aria-label": "Sections"}, element("ul", {}, *links))


def _foot(text: str) -> str:
    """Return the rule that prints a text at the foot of each page.

    Whatever is not a letter or a digit is an escape, so that no name can end the text.
    """
    escaped = (c if c.isascii() and c.isalnum() else f"\\{ord(c):06x}" for c in text)
    return f'@page {{ @bottom-left {{ content: "{"".join(escaped)}"; }} }}\n'


@cache
def _sheet() -> str:
    return Path(__file__).with_name("report.css").read_text("utf-8")
