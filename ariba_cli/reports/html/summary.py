"""The verdict in words: the named participants, and the known and the unknown."""

from xml.etree.ElementTree import Element

from ariba_cli.reports.html.blocks import bullets, count, note, section
from ariba_cli.reports.html.markup import Child, append, element, short
from ariba_cli.reports.reasons import reasons_in_words
from ariba_cli.reports.words import (
    always_in_words,
    known_in_words,
    nobody_in_words,
    p_in_words,
    standing_out_in_words,
    tie_in_words,
    unknown_in_words,
    value_in_words,
    value_name,
)
from ariba_cli.verdicts.verdict import Verdict

_MOST_NAMED = 30
_LONGEST = 40


def summary_section(verdict: Verdict) -> Element:
    """Return the named participants with reasons, and the meaning of that and its limits."""
    return section("verdict", "Verdict", *_headline(verdict), _both_sides(verdict))


def _headline(verdict: Verdict) -> list[Child]:
    if not verdict.ranking:
        return [element("p", {"class": "lead"}, nobody_in_words(verdict))]
    if verdict.by_level:
        first = element("p", {"class": "lead"}, f"{standing_out_in_words(verdict)}.")
        return [first, *([_reasons(verdict)] if verdict.suspects else [])]
    many = len(verdict.suspects) != 1
    lead = (
        f"{len(verdict.suspects):,} of {count(len(verdict.ranking), 'participant')} "
        f"{'are' if many else 'is'} named as {'suspects' if many else 'suspect'}."
    )
    tie = f"{tie_in_words(verdict)} " if verdict.decision.tie_at_cutoff else ""
    return [
        element("p", {"class": "lead"}, lead),
        _names(verdict),
        element("p", {"class": "strong"}, f"{tie}{always_in_words(verdict)}"),
        note(f"Beside each name stands its {value_name(verdict)}."),
    ]


def _reasons(verdict: Verdict) -> Element:
    """Return the reasons against each of the first who are flagged."""
    node = element("dl", {"class": "reasons"})
    for ranked in verdict.suspects[:_MOST_NAMED]:
        name = element("b", {}, f"▲ {short(ranked.id, _LONGEST)}")
        chance = element("span", {"class": "share"}, f"p-value {p_in_words(ranked.p_value)}")
        append(node, element("dt", {}, name, chance))
        append(node, element("dd", {}, f"{reasons_in_words(ranked)}."))
    hidden = len(verdict.suspects) - _MOST_NAMED
    if hidden > 0:
        append(node, element("dt", {}, f"and {hidden:,} more"))
        append(node, element("dd", {}, "in the ranking"))
    return node


def _names(verdict: Verdict) -> Element:
    """Return the suspects with their values, the first ones if there are many."""
    node = element("ol", {"class": "names"})
    for ranked in verdict.suspects[:_MOST_NAMED]:
        name = element("b", {}, short(ranked.id, _LONGEST))
        share = element("span", {"class": "share"}, value_in_words(verdict, ranked.value))
        append(node, element("li", {}, element("i", {"aria-hidden": "true"}, "▲"), name, share))
    hidden = len(verdict.suspects) - _MOST_NAMED
    if hidden > 0:
        append(node, element("li", {"class": "more"}, f"and {hidden:,} more, in the ranking"))
    return node


def _both_sides(verdict: Verdict) -> Element:
    known = element("div", {}, element("h3", {}, "What is known"), bullets(known_in_words(verdict)))
    unknown = element(
        "div",
        {"class": "unknown"},
        element("h3", {}, "What is not known"),
        bullets(unknown_in_words(verdict)),
    )
    return element("div", {"class": "columns"}, known, unknown)
