"""A verdict → the table that a reviewer reads on a terminal."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from ariba_cli.base.visible import visible
from ariba_cli.reports.explanation import explanation
from ariba_cli.reports.layers_table import layers_part
from ariba_cli.reports.ranking_table import ranking_part
from ariba_cli.reports.reasons import reasons_in_words, unseen_in_words
from ariba_cli.reports.text import Paper, finding_lines, indented, render, sentence
from ariba_cli.reports.words import (
    coverage_in_words,
    headline_in_words,
    machines_in_words,
    other_machines,
    rescored_in_words,
    seal_in_words,
    stability_in_words,
    truth_in_words,
)
from ariba_cli.verdicts.verdict import Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType

# How many are shown after those who are named.
NEXT = 10
# Of how many who are flagged the reasons are given.
_MOST_EXPLAINED = 20


def audit_table(
    verdict: Verdict,
    paper: Paper,
    *,
    heading: str | None = None,
    explained: Sequence[str] = (),
    top: int | None = None,
    said: Collection[str] = (),
) -> str:
    """Return the ranking with a bar for each participant, and its meaning in words.

    Parameters
    ----------
    verdict : Verdict
        The verdict to show.
    paper : Paper
        The paper on which the table is drawn.
    heading : str, optional
        The name of the round, if there are several.
    explained : sequence of str
        The participants whose most distant fragments are shown.
    top : int, optional
        The number of participants to show; those who are named and the next ten when None.
    said : collection of str
        The sentences of `limits_in_words` that need not be said again.
    """
    parts: list[RenderableType] = []
    if heading is not None:
        parts += [sentence(f"Round {visible(heading)}", style="bold underline"), ""]
    headline = sentence(headline_in_words(verdict), style="bold")
    if verdict.by_level:
        parts += [headline, *_reasons(verdict), ""]
    parts += layers_part(verdict, paper)
    if verdict.ranking:
        parts += ranking_part(verdict, paper, top or len(verdict.suspects) + NEXT)
    for identifier in explained:
        parts += explanation(verdict, identifier, paper)
    if not verdict.by_level:
        parts.append(headline)
    parts += [sentence(line, style="bold") for line in rescored_in_words(verdict)]
    stability = stability_in_words(verdict)
    if stability:
        name = "Gap" if verdict.by_level else "Stability"
        parts.append(sentence(f"{name}: {' '.join(stability)}"))
    *unseen, coverage = limits_in_words(verdict)
    parts += [sentence(line) for line in unseen if line not in said]
    parts += [sentence(line) for line in truth_in_words(verdict)]
    parts += finding_lines(verdict.findings)
    if other_machines(verdict):
        parts.append(sentence(machines_in_words(verdict)))
    if verdict.method.seal_verified:
        parts.append(sentence(seal_in_words(verdict)))
    if coverage not in said:
        parts.append(sentence(coverage))
    return render(parts, paper)


def limits_in_words(verdict: Verdict) -> list[str]:
    """Return what could not be seen: the signs, and at last the part of the model.

    They are often the same for all rounds of a run.
    """
    return [*unseen_in_words(verdict), f"Coverage: {coverage_in_words(verdict)}."]


def _reasons(verdict: Verdict) -> "list[RenderableType]":
    """Return the reasons against the first who are flagged, a line for each."""
    named = verdict.suspects
    lines = [f"{visible(one.id)}: {reasons_in_words(one)}." for one in named[:_MOST_EXPLAINED]]
    if len(named) > _MOST_EXPLAINED:
        lines.append(f"and {len(named) - _MOST_EXPLAINED:,} more; -f json has all reasons")
    return [indented(line) for line in lines]
