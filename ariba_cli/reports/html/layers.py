"""Several layers: the share of each participant in each, as a table that is a heat map (7d)."""

from xml.etree.ElementTree import Element

from ariba_cli.reports.html.blocks import count, folded, note, section, table
from ariba_cli.reports.html.markup import Child, element
from ariba_cli.reports.html.people import shown
from ariba_cli.verdict import LayerResult, Ranked, Verdict
from ariba_cli.visible import visible

_MOST_SUSPECTS = 40
_LEVELS = 10


def layers_section(verdict: Verdict) -> Element | None:
    """Who stands out in which layer; None where there is one layer, or nobody is ranked."""
    if len(verdict.layers) < 2 or not verdict.ranking:
        return None
    text = (
        "The share of a participant's fragments that is marked, by layer. Each layer is scored "
        "by itself, and the ranking goes by the mean. The darker, the more is marked."
    )
    people = shown(verdict, suspects=_MOST_SUSPECTS)
    children: list[Child] = [note(text), _heat(people.all, verdict)]
    if people.left_out:
        children.append(note(f"{count(people.left_out, 'participant')} not shown here."))
    children.append(folded(f"The {len(verdict.layers)} layers", layers_table(verdict)))
    return section("layers", "Layers", *children)


def layers_table(verdict: Verdict) -> Element:
    """What every layer is, and where its cut is."""
    headers = (
        "",
        "layer",
        "fragment",
        "participants n",
        "fragments m",
        "values d",
        "left out",
        "marked k̃·m",
        "rank",
        "cut at",
        "margin",
    )
    rows = (_facts(place, layer) for place, layer in enumerate(verdict.layers, 1))
    return table(headers, rows, right=(1, 4, 5, 6, 7, 8, 9, 10, 11), heading=1)


def _facts(place: int, layer: LayerResult) -> tuple[str, ...]:
    rank = "–" if layer.covariance_rank is None else f"{layer.covariance_rank:,}"
    return (
        str(place),
        visible(layer.layer),
        visible(layer.fragment),
        f"{layer.participants:,}",
        f"{layer.fragments:,}",
        f"{layer.dimension:,}",
        f"{layer.left_out:,}",
        f"{layer.marked:,}",
        rank,
        f"{layer.cut_distance:.6g}",
        f"{layer.cut_margin:.2g}",
    )


def _heat(people: tuple[Ranked, ...], verdict: Verdict) -> Element:
    names = [visible(layer.layer.removesuffix(".weight")) for layer in verdict.layers]
    headers = ("participant", "mean", *(f"{place} {name}" for place, name in enumerate(names, 1)))
    rows = (_row(ranked, verdict) for ranked in people)
    return table(headers, rows, kind="heatmap")


def _row(ranked: Ranked, verdict: Verdict) -> list[Child]:
    kind = "suspect" if ranked.suspect else "other"
    mark = "▲ " if ranked.suspect else ""
    cells: list[Child] = [
        element("span", {"class": kind}, f"{mark}{visible(ranked.id)}"),
        _cell(ranked.share),
    ]
    return cells + [_cell(ranked.shares.get(layer.layer)) for layer in verdict.layers]


def _cell(share: float | None) -> Element:
    if share is None:
        return element("td", {"class": "none"}, "–")
    level = round(min(max(share, 0.0), 1.0) * _LEVELS)
    return element("td", {"class": f"s{level}"}, f"{share:.2f}")
