"""Tables as text, by Rich, without its markup: the content came from attackers."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ariba_cli.base.findings import Finding
from ariba_cli.reports.finding_words import findings_in_words

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text


@dataclass(frozen=True)
class Paper:
    """The surface on which a table is drawn: its width in columns, its colour, its encoding."""

    width: int
    color: bool
    encoding: str = "utf-8"

    @property
    def ascii_only(self) -> bool:
        """True if box-drawing characters cannot be shown."""
        return not self.encoding.lower().startswith("utf")

    def encode(self, text: str) -> bytes:
        """Return the bytes of a text; characters that the encoding lacks are written as escapes."""
        return text.encode(self.encoding, "backslashreplace")


def render(parts: "list[RenderableType]", paper: Paper) -> str:
    """Draw the parts one below the other; lines end without spaces."""
    from rich.console import Console

    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=paper.width,
        force_terminal=paper.color,
        color_system="standard" if paper.color else None,
        no_color=not paper.color,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
    )
    for part in parts:
        console.print(part)
    return "".join(line.rstrip() + "\n" for line in buffer.getvalue().splitlines())


# Below it, wide tables would break their words.
_WIDE = 64


def is_narrow(paper: Paper) -> bool:
    """Return whether wide tables would break their words."""
    return paper.width < _WIDE


def plain_table(*columns: tuple[str, str]) -> "Table":
    """Return a table without a frame; columns are (header, `left` or `right`)."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for header, side in columns:
        table.add_column(
            Text(header), justify="right" if side == "right" else "left", overflow="fold"
        )
    return table


def finding_lines(findings: tuple[Finding, ...]) -> "list[RenderableType]":
    """Return the findings, one a line."""
    return [sentence(line, style="yellow") for line in findings_in_words(findings)]


def indented(text: str) -> "Padding":
    """Return a line of text below another, with every line that it is wrapped to set in."""
    from rich.padding import Padding

    return Padding(sentence(text), (0, 0, 0, 2))


def sentence(text: str, style: str = "") -> "Text":
    """Return a line of text, wrapped where it must be."""
    from rich.text import Text

    return Text(text, style=style, overflow="fold")
