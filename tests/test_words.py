"""Words that people read: turns of phrase that are hard to understand at the first reading."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
# Pages about the paper use its symbols.
OF_THE_PAPER = {"method.md", "reproduction.md", "glossary.md"}
# What is stiff, and what to write instead.
STIFF = {
    r"(?<![Tt]here )\b(is|are|was|were) no (?!longer\b|more\b|larger\b)": "is not a",
    r"\bknows no\b(?! more)": "does not know",
    r"\bknown are\b": "use one of",
    r", as (\d|[\w-]+:\w)": "such as",
    r"\b[Nn]obody of\b": "none of",
    r"\b(is|are|was|were) told\b": "learns, receives or is called with",
    r"\breckon": "compute or process",
    r"\bheld against\b": "compared with",
    r"[0-9}] %(?=[\s.,;:)|]|$)": "5%, without a space",
}
# A docstring says what is done: "Return the …". A noun clause does not.
CLAUSES = re.compile(r"(What|Whether|Who|How|Of|As|Where|When)\b")
SYMBOL = "k̃"


@pytest.mark.parametrize("stiff", STIFF)
def test_no_text_has_a_stiff_turn_of_phrase(stiff: str) -> None:
    found = [f"{place}: {text}" for place, text in texts() if re.search(stiff, text)]
    assert found == [], f"rather: {STIFF[stiff]}"


def test_k_est_has_one_name() -> None:
    found = [place for place, text in texts() if SYMBOL in text and place.name not in OF_THE_PAPER]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        *("'x' is no k_est", "--keep knows no 'x'", "there is none; known are a, b"),
        *("a number, as 10", "Nobody of 20 stands out", "a level of 5 % or less"),
    ],
)
def test_stiff_turns_of_phrase_are_seen(text: str) -> None:
    assert any(re.search(stiff, text) for stiff in STIFF)


@pytest.mark.parametrize("room", ["ariba_cli", "benchmarks", "docs", "examples", "fixtures"])
def test_no_docstring_is_a_noun_clause(room: str) -> None:
    found = [
        f"{path}: {text}"
        for path in sorted((REPOSITORY / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and CLAUSES.match(text := ast.get_docstring(node) or "")
    ]
    assert found == []


@cache
def texts() -> list[tuple[Path, str]]:
    """Return each literal of the package that is not a docstring, and each line of the pages."""
    found = [(path, line) for path in PAGES for line in path.read_text().splitlines()]
    for path in sorted((REPOSITORY / "ariba_cli").rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        docstrings = {
            id(node.body[0].value)
            for node in nodes
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and isinstance(node.body[0], ast.Expr)
        }
        found += [
            (path, node.value)
            for node in nodes
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
        ]
    return found
