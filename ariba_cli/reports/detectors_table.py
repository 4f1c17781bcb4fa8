"""The detectors → the table of their subjects and needs."""

from typing import TYPE_CHECKING

from ariba_cli.detectors import DETECTORS, WITH_VARIANTS, family, history_detectors
from ariba_cli.detectors.declaration import Declaration
from ariba_cli.reports.text import Paper, plain_table, render, sentence
from ariba_cli.scoring.pyod_catalogue import CATALOGUE, OF_NO_USE, Known

if TYPE_CHECKING:
    from rich.console import RenderableType


def detectors_table(paper: Paper) -> str:
    """Return every detector with its input, its subject, and its other needs."""
    from rich.text import Text

    table = plain_table(
        ("detector", "left"), ("scope", "left"), ("looks at", "left"), ("needs", "left")
    )
    for name in DETECTORS:
        if name not in WITH_VARIANTS:
            declared = family(name).declaration
            table.add_row(name, declared.scope, Text(declared.summary), _needs(declared))
    for one in history_detectors():
        own = one.declaration
        table.add_row(own.name, own.scope, Text(own.summary), "")
    pyod = plain_table(("detector of PyOD", "left"), ("fit sample", "right"), ("needs", "left"))
    for label in sorted(CATALOGUE, key=str.lower):
        known = CATALOGUE[label]
        pyod.add_row(f"pyod:{label}", f"{known.fit_sample:,}", _pyod_needs(known))
    parts: list[RenderableType] = [
        table,
        "",
        sentence(
            "A detector of scope layer marks fragments of each layer. One of scope update compares "
            "whole updates, and each layer by itself. Those of scope history compare several "
            "rounds: ariba always uses them when it audits four or more. Set an integer in "
            "brackets with --detector-arg KEY=N."
        ),
        "",
        pyod,
        "",
        sentence(
            f"{family('pyod').declaration.summary[0].upper()}"
            f"{family('pyod').declaration.summary[1:]} (scope layer). The fit sample is the number "
            "of fragments on which it is fitted by default, at most."
        ),
        sentence(
            "Not usable here, because they need labels, other detectors, time series, graphs, "
            "text, "
            f"images or sound: {', '.join(sorted(OF_NO_USE, key=str.lower))}."
        ),
    ]
    return render(parts, paper)


def _needs(declared: Declaration) -> str:
    needs = [need.value.replace("-", " ") for need in sorted(declared.needs)]
    return ", ".join([*needs, *(f"[{key}]" for key in declared.options or {})])


def _pyod_needs(known: Known) -> str:
    return ", ".join([*known.needs, *(["--fragment block:1"] if known.one_value else [])])
