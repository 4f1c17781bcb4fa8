"""The verdict: who is named and why, the findings, and what is known and what is not."""

from xml.etree.ElementTree import Element

from ariba_cli.reports.html.blocks import bullets, count, section
from ariba_cli.reports.html.findings import findings_line
from ariba_cli.reports.html.markup import Child, element
from ariba_cli.reports.html.ranking import named_people
from ariba_cli.reports.words import (
    always_in_words,
    known_in_words,
    nobody_in_words,
    standing_out_in_words,
    tie_in_words,
    unknown_in_words,
)
from ariba_cli.verdicts.verdict import Verdict


def summary_section(verdict: Verdict) -> Element:
    """Return the named participants with reasons, and the meaning of that and its limits."""
    return section(
        "verdict",
        "Verdict",
        element("p", {"class": "lead"}, _lead(verdict)),
        *findings_line(verdict.findings),
        *_always(verdict),
        *named_people(verdict),
        _both_sides(verdict),
    )


def _lead(verdict: Verdict) -> str:
    if not verdict.ranking:
        return nobody_in_words(verdict)
    if verdict.by_level:
        return f"{standing_out_in_words(verdict)}."
    many = len(verdict.suspects) != 1
    return (
        f"{len(verdict.suspects):,} of {count(len(verdict.ranking), 'participant')} "
        f"{'are' if many else 'is'} named as {'suspects' if many else 'suspect'}."
    )


def _always(verdict: Verdict) -> list[Child]:
    """Return the statement that k_est names somebody in any round."""
    if not verdict.ranking or verdict.by_level:
        return []
    tie = f"{tie_in_words(verdict)} " if verdict.decision.tie_at_cutoff else ""
    return [element("p", {"class": "strong"}, f"{tie}{always_in_words(verdict)}")]


def _both_sides(verdict: Verdict) -> Element:
    known = element("div", {}, element("h3", {}, "What is known"), bullets(known_in_words(verdict)))
    unknown = element(
        "div",
        {"class": "unknown"},
        element("h3", {}, "What is not known"),
        bullets(unknown_in_words(verdict)),
    )
    return element("div", {"class": "columns"}, known, unknown)
