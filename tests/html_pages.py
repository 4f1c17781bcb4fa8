"""A page of HTML, taken apart."""

import re
from collections import Counter
from html.parser import HTMLParser

# What HTML parsers know without a closing tag.
VOID = {"meta", "br"}


class Page(HTMLParser):
    """A page as a parser reads it.

    Attributes
    ----------
    elements : Counter
        The number of elements with attributes of these names.
    attributes : list of tuple
        (element, attribute, value) of every attribute.
    texts : list of str
        All text, but for the style sheet.
    """

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.sheet = ""
        self.open: list[str] = []
        self.feed(page.decode("utf-8"))
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag, tuple(name for name, _ in attrs)] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.sheet += data
        else:
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    @property
    def ids(self) -> set[str]:
        return {value for _, name, value in self.attributes if name == "id"}

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    @property
    def without_numbers(self) -> list[tuple[str, str, str]]:
        # The hash of the style sheet follows what is printed at the foot.
        attributes = [
            (tag, name, re.sub(r"'sha256-[^']+'", "'sha256'", value))
            for tag, name, value in self.attributes
        ]
        return [(tag, name, re.sub(r"[0-9.]+", "0", value)) for tag, name, value in attributes]

    @property
    def foot(self) -> str:
        """The text at the foot of each printed page, with its escapes."""
        (text,) = re.findall(r'@bottom-left \{ content: "([^"]*)"; \} \}\n$', self.sheet)
        assert isinstance(text, str)
        return text

    @property
    def sections(self) -> list[str]:
        return [value for tag, name, value in self.attributes if (tag, name) == ("section", "id")]

    def values(self, attribute: str) -> list[str]:
        return [value for _, name, value in self.attributes if name == attribute]
