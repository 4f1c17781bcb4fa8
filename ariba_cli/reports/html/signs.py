"""Every sign of every participant: a heat map of the unlikeliness of each among the honest."""

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from ariba_cli.base.visible import visible
from ariba_cli.reports.html.blocks import bullets, count, note, section, table
from ariba_cli.reports.html.markup import Child, element
from ariba_cli.reports.html.people import shown
from ariba_cli.reports.reasons import sign_in_words, unseen_in_words
from ariba_cli.reports.words import p_in_words
from ariba_cli.verdicts.ranked import Ranked
from ariba_cli.verdicts.verdict import Verdict

_LEVELS = 10
# The power of ten at which a cell has the strongest colour.
_STRONGEST = 6
_LEAST = 1e-300


def signs_section(verdict: Verdict) -> Element | None:
    """Return the heat map of signs; None where the detector tells no signs apart."""
    signs = _signs(verdict)
    if not signs or not verdict.ranking:
        return None
    text = (
        "The chance that an honest participant shows a sign as strongly; a stronger colour means "
        "a smaller chance. Among many chances, expect a small one."
    )
    people = shown(verdict)
    children: list[Child] = [note(text), _heat(people.all, signs, verdict)]
    if people.left_out:
        children.append(note(f"Another {count(people.left_out, 'participant')} not shown here."))
    unseen = unseen_in_words(verdict)
    if unseen:
        children.append(bullets(unseen))
    return section("signs", "Signs", *children)


def _signs(verdict: Verdict) -> list[str]:
    """Return the names of the signs, of which each score has the chance."""
    return [sign for one in verdict.deciding.scores[:1] for sign in one.by_sign]


def _heat(people: Sequence[Ranked], signs: Sequence[str], verdict: Verdict) -> Element:
    chances = {one.id: one.by_sign for one in verdict.deciding.scores}
    labels = {one.id: _label(one) for one in people}
    pointed = any(labels.values())
    headers = ["participant", "p-value", *(visible(sign_in_words(sign)) for sign in signs)]
    headers += ["class"] if pointed else []
    rows: list[list[Child]] = []
    for ranked in people:
        row: list[Child] = [_name(ranked), _cell(ranked.p_value)]
        row += [_cell(chances[ranked.id].get(sign)) for sign in signs]
        row += [labels[ranked.id]] if pointed else []
        rows.append(row)
    return table(headers, rows, kind="heatmap")


def _label(ranked: Ranked) -> str:
    """Return the class at which the rows of the output layer point, where that is a reason."""
    return next((str(one.label) for one in ranked.reasons if one.label is not None), "")


def _cell(chance: object) -> Element:
    if not isinstance(chance, int | float) or not 0 <= chance <= 1:
        return element("td", {"class": "none"}, "–")
    power = -math.log10(max(chance, _LEAST))
    level = round(min(power / _STRONGEST, 1.0) * _LEVELS)
    return element("td", {"class": f"s{level}"}, p_in_words(chance))


def _name(ranked: Ranked) -> Element:
    kind = "suspect" if ranked.named else "other"
    mark = "▲ " if ranked.named else ""
    return element("span", {"class": kind}, f"{mark}{visible(ranked.id)}")
