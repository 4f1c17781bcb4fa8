"""The hooks of mkdocs: pages that lie outside of docs/, links to files, and the Python API.

make site
"""

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

import ariba_cli

_ROOT = Path(__file__).parent.parent
# By the file, the page. What is called README.md in docs/ is the first one.
_OUTSIDE = {
    "README.md": "about.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
    "fixtures/README.md": "fixtures.md",
    "fixtures/hostile/README.md": "hostile.md",
    "examples/flower/README.md": "examples-flower.md",
    "examples/nvflare/README.md": "examples-nvflare.md",
    "examples/paper/README.md": "examples-paper.md",
}
# What of docs/ is in the site.
_SHOWN = (".md", ".png")
_API = "api.md"
_API_HEAD = """\
# The Python API

Every name of `import ariba_cli as ariba`. [Python](python.md) shows it in use.
"""
_LINK = re.compile(r"\[([^\]]*)\]\((?![a-z]+:)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages from outside, and that of the API."""
    for path, page in _OUTSIDE.items():
        text = _relinked((_ROOT / path).read_text("utf-8"), path)
        files.append(File.generated(config, page, content=text))
    files.append(File.generated(config, _API, content=_api()))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Lead the links of a page in docs/ to pages of the site."""
    if page.file.generated_by:
        return markdown
    return _relinked(markdown, f"docs/{page.file.src_uri}")


def _api() -> str:
    names = (one for one in ariba_cli.__all__ if not one.startswith("_"))
    return "\n".join([_API_HEAD, *(f"::: ariba_cli.{name}\n" for name in names)])


def _relinked(text: str, path: str) -> str:
    """Return the text of a file with links to pages; a link to another file is its text."""

    def lead(found: re.Match[str]) -> str:
        words, target, anchor = found[1], found[2], found[3] or ""
        file = os.path.normpath(Path(path).parent / target)
        page = _OUTSIDE.get(file) or _OUTSIDE.get(f"{file}/README.md")
        if page is None and file.startswith("docs/") and file.endswith(_SHOWN):
            page = file.removeprefix("docs/")
        return words if page is None else f"[{words}]({page}{anchor})"

    return _LINK.sub(lead, text)
