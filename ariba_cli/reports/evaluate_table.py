"""The quality of a model → tables for a terminal."""

import math
from typing import TYPE_CHECKING

from ariba_cli.base.visible import visible
from ariba_cli.reports.text import Paper, plain_table, render, sentence
from ariba_cli.runs.evaluating import ClassQuality, ModelEvaluation

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def evaluate_table(found: ModelEvaluation, paper: Paper) -> str:
    """Return accuracy and loss, then the same by class, then the success of backdoors."""
    parts: list[RenderableType] = [sentence(_in_words(found), style="bold"), "", _classes(found)]
    if found.backdoors:
        parts += ["", _backdoors(found)]
    parts += [
        sentence(f"{name} does not apply: {why}", style="yellow")
        for name, why in found.not_applicable.items()
    ]
    return render(parts, paper)


def _in_words(found: ModelEvaluation) -> str:
    loss = f"{found.quality.loss:.3f}" if math.isfinite(found.quality.loss) else "not finite"
    return (
        f"{visible(found.path)}: {found.architecture} on {found.samples:,} test images of "
        f"{found.dataset}; accuracy {found.quality.accuracy:.3f}, loss {loss}"
    )


def _classes(found: ModelEvaluation) -> "Table":
    table = plain_table(
        ("class", "right"),
        ("samples", "right"),
        ("accuracy", "right"),
        ("wrong", "right"),
        ("mostly mistaken for", "left"),
    )
    for one in found.classes:
        accuracy = "–" if one.accuracy is None else f"{one.accuracy:.3f}"
        table.add_row(
            str(one.label), f"{one.samples:,}", accuracy, f"{one.wrong:,}", _mistaken(one)
        )
    return table


def _mistaken(one: ClassQuality) -> str:
    return "–" if one.mistaken_for is None else f"{one.mistaken_for} ({one.mistaken:,})"


def _backdoors(found: ModelEvaluation) -> "Table":
    table = plain_table(
        ("trigger", "left"),
        ("images", "right"),
        (f"taken for class {found.settings.target_class} (X'%)", "right"),
    )
    for one in found.backdoors:
        table.add_row(one.trigger, f"{one.images:,}", f"{one.accuracy:.3f}")
    return table
