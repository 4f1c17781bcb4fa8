"""Write the generated parts of pages again: commands, measurements, rules and attacks.

python -m docs.make
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer.main

from ariba_cli.aggregation.rules import RULES, make_rule
from ariba_cli.aggregation.rules.declaration import Declaration
from ariba_cli.attacks.strategies import STRATEGIES, Strategy
from ariba_cli.base.declared import Argument
from ariba_cli.cli.app import app
from benchmarks.detection import page as detection
from benchmarks.history import page as history
from docs.arena_tables import tables

_HERE = Path(__file__).parent
COMMANDS = _HERE / "commands.md"
DETECTION = _HERE / "detection.md"
RECORDS = _HERE / "detection.jsonl"
HISTORY = _HERE / "history.md"
HISTORY_RECORDS = _HERE / "history.jsonl"
AGGREGATION = _HERE / "aggregation.md"
ATTACKS = _HERE / "attacks.md"
ARENA = _HERE / "arena.md"
ARENA_RESULTS = _HERE / "arena.json"

# Between these lines of a page stands what is made.
_MADE = "<!-- made by make docs -->\n"
_END = "<!-- end of what is made -->\n"

# That of a terminal of 80 columns, whatever this one has.
_WIDTH = 78
_HEAD = """\
# The commands

What `ariba --help` and `ariba COMMAND --help` print. This page is made by `make docs`:
to change it, change the help.
"""


def main() -> None:
    """Write the pages; those of measurements only if there are results."""
    COMMANDS.write_text(page(), encoding="utf-8")
    AGGREGATION.write_text(aggregation_page(), encoding="utf-8")
    ATTACKS.write_text(attacks_page(), encoding="utf-8")
    if ARENA_RESULTS.exists():
        ARENA.write_text(arena_page(), encoding="utf-8")
    if RECORDS.exists():
        DETECTION.write_text(detection_page(), encoding="utf-8")
    if HISTORY_RECORDS.exists():
        HISTORY.write_text(history_page(), encoding="utf-8")


def detection_page() -> str:
    """Return the page of detection, from the records beside it."""
    return detection.page([json.loads(line) for line in RECORDS.read_bytes().splitlines()])


def history_page() -> str:
    """Return the page of persistent attackers, from the records beside it."""
    return history.page([json.loads(line) for line in HISTORY_RECORDS.read_bytes().splitlines()])


def aggregation_page() -> str:
    """Return the page of aggregation rules, with what they declare now."""
    return _with_made(AGGREGATION, [_rule(make_rule(name).declaration) for name in RULES])


def attacks_page() -> str:
    """Return the page of attacks, with what the strategies declare now."""
    return _with_made(ATTACKS, [_strategy(one) for one in STRATEGIES.values()])


def arena_page() -> str:
    """Return the page of the arena, with the tables of the results beside it."""
    result = json.loads(ARENA_RESULTS.read_bytes())["result"]
    return _with_made(ARENA, tables(result))


def _with_made(page: Path, sections: list[str]) -> str:
    """Return a page with these sections in the place of those that were made."""
    before, _, rest = page.read_text("utf-8").partition(_MADE)
    after = rest.partition(_END)[2]
    return "".join([before, _MADE, "\n", *sections, _END, after])


def _arguments(declared: Mapping[str, Argument]) -> Iterator[str]:
    """Yield the table of the arguments, if there are any."""
    if declared:
        rows = [
            f"| `{key}` | {one.meaning} | {one.said_default} | {one.said_range} |"
            for key, one in declared.items()
        ]
        head = "| argument | what it is | by default | takes |\n| --- | --- | --- | --- |\n"
        yield head + "\n".join(rows)


def _strategy(strategy: type[Strategy]) -> str:
    declared = strategy.declaration
    needs = ", ".join(need.value.replace("-", " ") for need in sorted(declared.needs)) or "nothing"
    lines = [
        f"### {declared.name}",
        f"{declared.summary[0].upper()}{declared.summary[1:]}.",
        f"    {declared.equation}",
        f"- Purpose: {declared.purpose}.\n- Source: {declared.source}.\n- Stage: {declared.stage}. "
        f"Needs to know: {needs}.",
    ]
    lines += _arguments(declared.arguments)
    return "\n\n".join(lines) + "\n\n"


def _rule(declared: Declaration) -> str:
    needs = [need.value.replace("-", " ") for need in sorted(declared.needs)]
    needs.append(f"{declared.fewest} updates" if declared.fewest > 1 else "one update")
    counts = "all the same, or by samples" if declared.by_samples else "all the same"
    lines = [
        f"### {declared.name}",
        f"{declared.summary[0].upper()}{declared.summary[1:]}.",
        f"    {declared.equation}",
        f"- Source: {declared.source}.\n- Needs: {', '.join(needs)}. Participants count {counts}."
        f"\n- When it fails: {declared.fails}.",
    ]
    lines += _arguments(declared.arguments)
    return "\n\n".join(lines) + "\n\n"


def page() -> str:
    """Return the page of commands."""
    sections = [_HEAD]
    for title, text in helps().items():
        sections.append(f"## {title}\n\n```text\n{text}\n```\n")
    return "\n".join(sections)


def helps() -> dict[str, str]:
    """Return the help of `ariba`, and of each command, in the order in which `ariba` lists them."""
    return {title: context.get_help() for title, context in contexts()}


def contexts() -> Iterator[tuple[str, Any]]:
    """Yield `ariba` and each of its commands, with the context in which its help is written."""
    group = typer.main.get_command(app)
    with group.make_context("ariba", [], resilient_parsing=True, terminal_width=_WIDTH) as context:
        yield "ariba", context
        for name, command in getattr(group, "commands", {}).items():
            with command.make_context(
                name, [], parent=context, resilient_parsing=True, terminal_width=_WIDTH
            ) as own:
                yield f"ariba {name}", own


if __name__ == "__main__":
    main()
