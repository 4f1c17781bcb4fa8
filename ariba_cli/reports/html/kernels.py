"""The most distant fragments of suspects beside typical ones (Fig. 6b)."""

from xml.etree.ElementTree import Element

from ariba_cli.base.visible import visible
from ariba_cli.reports.html.blocks import folded, note, section
from ariba_cli.reports.html.evidence import (
    layers_to_draw,
    layers_to_open,
    left_out_in_words,
)
from ariba_cli.reports.html.heat import heat_map, largest, scale_legend
from ariba_cli.reports.html.markup import Child, append, element, short
from ariba_cli.reports.html.people import order, values_by_layer
from ariba_cli.reports.words import marks_fragments, value_in_words, value_name
from ariba_cli.verdicts.evidence import Fragment, LayerEvidence
from ariba_cli.verdicts.verdict import Verdict

_NAME = 40
_LAYER = 60
_MOST_PEOPLE = 12
_MOST_FRAGMENTS = 6
_MANY_VALUES = 64


def kernels_section(verdict: Verdict) -> Element | None:
    """Return the fragments that stand out, in pictures; None where there is nothing to draw."""
    drawn = [one for one in layers_to_draw(verdict) if one.most_distant]
    if not drawn:
        return None
    text = (
        "On the left are the fragments of largest distance. On the right is the fragment in the "
        "same place of a typical participant: the one with the median distance among those who "
        "are not marked most. Values are differences from the mean of all participants, on one "
        "scale for each layer; a dash marks values well below zero. Long rows are broken into "
        "lines."
        f"{_whose_distances(verdict)}"
    )
    children: list[Child] = [note(text)]
    left_out = left_out_in_words(verdict)
    if left_out is not None:
        children.append(note(left_out))
    opened = {one.layer for one in layers_to_open(verdict)}
    for one in drawn:
        layer = _layer(one, verdict)
        children.append(layer if one.layer in opened else folded(short(one.layer, _LAYER), layer))
    return section("kernels", "Most distant fragments", *children)


def _whose_distances(verdict: Verdict) -> str:
    """Return the name of the detector that these distances are of, where another decides."""
    if marks_fragments(verdict):
        return ""
    other = next((own.name for own in verdict.detectors if own.scope == "layer"), None)
    named = "a detector" if other is None else visible(other)
    return f" Distances and marks come from {named}, which does not decide who is named."


def _layer(evidence: LayerEvidence, verdict: Verdict) -> Element:
    people = order(list(evidence.most_distant), verdict)[:_MOST_PEOPLE]
    shown = {name: evidence.most_distant[name][:_MOST_FRAGMENTS] for name in people}
    limit = largest(
        values
        for fragments in shown.values()
        for one in fragments
        for values in (one.values, one.typical_values)
    )
    head = element("div", {"class": "layer-head"}, element("h3", {}, short(evidence.layer, _LAYER)))
    median = element("p", {"class": "note"}, f"Median distance {evidence.median_distance:.4g}")
    append(head, median)
    append(head, scale_legend(limit))
    rows = (_person(name, shown[name], evidence, limit, verdict) for name in people)
    return element("div", {"class": "kernels"}, head, *rows)


def _person(
    name: str,
    fragments: tuple[Fragment, ...],
    evidence: LayerEvidence,
    limit: float,
    verdict: Verdict,
) -> Element:
    value = values_by_layer(verdict).get(name, {}).get(evidence.layer)
    suspect = any(ranked.id == name for ranked in verdict.suspects)
    kind = "suspect" if suspect else "other"
    title = element(
        "h4", {}, element("span", {"class": kind}, f"{'▲ ' if suspect else ''}{short(name, _NAME)}")
    )
    if value is not None:
        shown = f"{value_name(verdict)} {value_in_words(verdict, value)}"
        append(title, element("span", {"class": "share"}, shown))
    cards = (_card(one, evidence.shape, limit) for one in fragments)
    return element("div", {"class": "person"}, title, element("div", {"class": "cards"}, *cards))


def _card(fragment: Fragment, shape: tuple[int, int], limit: float) -> Element:
    """Return one fragment beside the typical one."""
    place = _place(fragment.index)
    times = "" if fragment.times_median is None else f"{fragment.times_median:.3g}× median"
    typical = short(fragment.typical_id, 18)
    pair = element(
        "div",
        {"class": "pair"},
        heat_map(fragment.values, shape, limit, f"Fragment {place}"),
        heat_map(fragment.typical_values, shape, limit, f"Fragment {place} of {typical}"),
    )
    caption = element(
        "figcaption",
        {},
        element("b", {}, place),
        f" distance {fragment.distance:.3g}",
        *([element("br", {}), element("b", {}, times)] if times else []),
        element("br", {}),
        f"typical {typical}: {fragment.typical_distance:.3g}",
    )
    kind = "card wide" if len(fragment.values) > _MANY_VALUES else "card"
    return element("figure", {"class": kind}, pair, caption)


def _place(index: tuple[int, ...]) -> str:
    """Return the place in the layer: output and input channel of a kernel, else a number.

    >>> _place((12, 3)), _place((7,))
    ('out 12, in 3', 'no. 7')
    """
    if len(index) == 2:
        return f"out {index[0]}, in {index[1]}"
    return "no. " + ", ".join(map(str, index))
