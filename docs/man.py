"""Write a manual page of `ariba`, and one of each of its commands: `python -m docs.man dist/man`.

They say what the help says.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ariba_cli.base.version import VERSION
from docs.make import contexts

# Paragraphs of the help that have a heading of their own in a manual page.
_HEADINGS = {
    "Example:": "EXAMPLES",
    "Examples:": "EXAMPLES",
    "Exit codes:": "EXIT STATUS",
    "Environment:": "ENVIRONMENT",
}
# How a paragraph starts whose lines stay as they are.
_AS_IT_IS = "\b\n"


def main(folder: Path) -> None:
    """Write the pages into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """Return each page by the name of its file."""
    listed = list(contexts())
    titles = [title.replace(" ", "-") for title, _ in listed]
    found = {}
    for title, (_, context) in zip(titles, listed, strict=True):
        others = ", ".join(f"{other}(1)" for other in titles if other != title)
        found[f"{title}.1"] = _page(title, context, others)
    return found


def _page(title: str, context: Any, others: str) -> str:
    roff = _Roff()
    roff.lines += [f'.TH {title.upper()} 1 "" "ariba {VERSION}"', ".SH NAME"]
    # The first sentence of its help.
    summary = " ".join(context.command.help.split("\n\n")[0].split()).partition(". ")[0]
    roff.lines.append(f"{_escaped(title)} \\- {_escaped(summary.rstrip('.'))}")
    context.command.format_help(context, roff)
    roff.heading("SEE ALSO")
    roff.lines.append(_escaped(others))
    return "\n".join(roff.lines) + "\n"


class _Roff:
    """A formatter for Click that writes help in the language of manual pages."""

    # Nothing is cut off.
    width = 10_000

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._last = ""

    def heading(self, text: str) -> None:
        """Begin a section, or a paragraph of the one that it is."""
        self.lines.append(".PP" if text == self._last else f".SH {text.upper()}")
        self._last = text

    def write_usage(self, prog: str, args: str = "", **_: Any) -> None:
        """Write how the command is called; its description follows."""
        self.heading("SYNOPSIS")
        self.lines += [f".B {_escaped(prog)}", _escaped(args)]
        self.heading("DESCRIPTION")

    def write_paragraph(self) -> None:
        """Write nothing between paragraphs, which begin by themselves."""

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Put a heading before what is written meanwhile."""
        self.heading(name)
        yield

    @contextmanager
    def indentation(self) -> Iterator[None]:
        """Indent nothing: the reader of manual pages does."""
        yield

    def write_text(self, text: str) -> None:
        """Write paragraphs; those with a heading of their own come last."""
        for paragraph in sorted(text.split("\n\n"), key=lambda one: _start(one) != ""):
            lines = paragraph.removeprefix(_AS_IT_IS).strip().splitlines()
            if not lines:
                continue
            start = _start(paragraph)
            if start:
                self.heading(_HEADINGS[start])
                lines[0] = lines[0].removeprefix(start).strip()
            else:
                self.lines.append(".PP")
            shown = [_escaped(line) for line in lines if line]
            if paragraph.startswith(_AS_IT_IS):
                shown = [".nf", *shown, ".fi"]
            self.lines += shown

    def write_dl(self, rows: list[tuple[str, str]], **_: Any) -> None:
        """Write options with what they mean."""
        for name, meaning in rows:
            self.lines += [".TP", f".B {_escaped(name)}", _escaped(" ".join(meaning.split()))]


def _start(paragraph: str) -> str:
    """Return the words of a paragraph that give it a heading, or an empty text."""
    plain = paragraph.removeprefix(_AS_IT_IS).strip()
    return next((one for one in _HEADINGS if plain.startswith(one)), "")


def _escaped(text: str) -> str:
    """Return text in which nothing is an instruction, and a hyphen can be copied."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    main(Path(sys.argv[1]))
