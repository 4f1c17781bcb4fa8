"""Make tables, pictures and one JSON file from the results of the scripts in this folder.

Run from the top of the repository, at any time; missing results are dashes:

    python -m examples.paper.collect runs/paper
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from examples.paper.cells import Collected, collect
from examples.paper.published import EXPERIMENTS
from examples.paper.tables import all_tables


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for, and return the exit code."""
    asked = _parser().parse_args(arguments)
    report = asked.report or asked.out / "report"
    report.mkdir(parents=True, exist_ok=True)
    collected = collect(asked.out)
    tables = all_tables(collected)
    _write(report / "results.json", json.dumps(content(collected), indent=2) + "\n")
    _write(report / "tables.md", _as_a_page(tables))
    if asked.into is not None:
        _write(asked.into, filled(asked.into.read_text("utf-8"), tables))
    try:
        from examples.paper.pictures import draw_all
    except ModuleNotFoundError as error:
        print(f"no pictures: {error.name} is missing; pip install -e '.[plots]'", file=sys.stderr)
    else:
        draw_all(collected, report)
    print(report)
    return 0


def content(collected: Collected) -> dict[str, Any]:
    """Return all that was found, for other programs."""
    return {
        "versions": collected.versions,
        "cells": [asdict(cell) for cell in collected.cells],
        "paper": {one.name: one.printed for one in EXPERIMENTS},
    }


def filled(document: str, tables: Mapping[str, str]) -> str:
    """Return a document with its tables, each between `<!-- NAME -->` and `<!-- /NAME -->`."""
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, begun, rest = document.partition(begin)
        _, ended, after = rest.partition(end)
        if begun and ended:
            document = f"{before}{begin}\n{table}\n{end}{after}"
    return document


def _as_a_page(tables: Mapping[str, str]) -> str:
    return "\n".join(f"## {one.title}\n\n{tables[one.name]}" for one in EXPERIMENTS)


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, "utf-8")
    partial.replace(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.paper.collect",
        description="Make tables, pictures and results.json of what the scripts left.",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="PAPER_OUT, as runs/paper")
    parser.add_argument("--report", type=Path, metavar="DIR", help="where to; OUT/report")
    parser.add_argument(
        "--into", type=Path, metavar="FILE", help="fill the tables of this document as well"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
