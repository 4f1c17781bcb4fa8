"""The detectors → the table of what they cost."""

from typing import TYPE_CHECKING

from ariba_cli.reports.text import Paper, plain_table, render, sentence
from ariba_cli.scoring.pyod_catalogue import (
    CATALOGUE,
    OF_NO_USE,
    SHOWN_DIMENSION,
    SHOWN_FRAGMENTS,
    Known,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

# The least time that each word is for.
_WORDS = {600.0: "an hour or more", 60.0: "minutes", 10.0: "a minute", 1.0: "seconds"}


def detectors_table(paper: Paper) -> str:
    """Every detector with what it takes by default, sorted by name."""
    from rich.text import Text

    table = plain_table(
        ("detector", "left"),
        ("takes", "left"),
        ("fit sample", "right"),
        ("fitting", "left"),
        ("scoring", "left"),
        ("needs", "left"),
    )
    table.add_row("mahalanobis", "less than a second", "all", "n", "1", "")
    for label in sorted(CATALOGUE, key=str.lower):
        table.add_row(f"pyod:{label}", *map(Text, _row(CATALOGUE[label])))
    parts: list[RenderableType] = [
        table,
        "",
        sentence(
            f"For {SHOWN_FRAGMENTS:,} fragments of {SHOWN_DIMENSION} values on two cores, with "
            "the default arguments and the fit sample that is shown. Scoring time grows with the "
            "number of fragments; under fitting and scoring is how both grow with the fit sample n."
        ),
        sentence(
            "Of no use here, since they need labels, other detectors, time series, graphs, text, "
            f"images or sound: {', '.join(sorted(OF_NO_USE, key=str.lower))}."
        ),
    ]
    return render(parts, paper)


def _row(known: Known) -> tuple[str, str, str, str, str]:
    fitted = known.fit_sample(SHOWN_FRAGMENTS, SHOWN_DIMENSION)
    seconds = known.cost.fit_seconds(fitted) + known.cost.score_seconds(fitted)
    needs = list(known.needs)
    if known.one_value:
        needs.append("--fragment block:1")
    return (
        _in_words(seconds),
        f"{fitted:,}" if fitted < SHOWN_FRAGMENTS else "all",
        known.cost.fit_growth.value,
        known.cost.score_growth.value,
        ", ".join(needs),
    )


def _in_words(seconds: float) -> str:
    for least, words in _WORDS.items():
        if seconds >= least:
            return words
    return "less than a second"
