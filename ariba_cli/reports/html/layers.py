"""Several layers: the share of each participant in each, as a table that is a heat map (7d)."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from ariba_cli.base.visible import visible
from ariba_cli.reports.html.blocks import count, folded, note, section, table
from ariba_cli.reports.html.evidence import most_telling
from ariba_cli.reports.html.markup import Child, element, short
from ariba_cli.reports.html.people import shown
from ariba_cli.verdicts.verdict import LayerResult, Ranked, Verdict

_MOST_SUSPECTS = 40
_MOST_LAYERS = 60
_LEVELS = 10
_NAME = 24


def layers_section(verdict: Verdict) -> Element | None:
    """Who stands out in which layer; None where there is one layer, or nobody is ranked."""
    if len(verdict.layers) < 2 or not verdict.ranking:
        return None
    text = (
        "The share of a participant's fragments that is marked, by layer. Each layer is scored "
        "by itself, and the ranking goes by the mean. The stronger the colour, the more is marked."
    )
    people = shown(verdict, suspects=_MOST_SUSPECTS)
    children: list[Child] = [note(text), _heat(people.all, verdict)]
    if len(verdict.layers) > _MOST_LAYERS:
        text = f"Shown are the {_MOST_LAYERS} layers in which a suspect has the highest shares."
        children.append(note(text))
    if people.left_out:
        children.append(note(f"Another {count(people.left_out, 'participant')} not shown here."))
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
    columns = most_telling(verdict, [layer.layer for layer in verdict.layers], _MOST_LAYERS)
    headers = ["participant", "mean"]
    for place in columns:
        name = verdict.layers[place].layer.removesuffix(".weight")
        headers.append(f"{place + 1} {short(name, _NAME)}")
    names = [verdict.layers[place].layer for place in columns]
    return table(headers, (_row(ranked, names) for ranked in people), kind="heatmap")


def _row(ranked: Ranked, layers: Sequence[str]) -> list[Child]:
    kind = "suspect" if ranked.suspect else "other"
    mark = "▲ " if ranked.suspect else ""
    name = element("span", {"class": kind}, f"{mark}{visible(ranked.id)}")
    return [name, _cell(ranked.share), *(_cell(ranked.shares.get(layer)) for layer in layers)]


def _cell(share: float | None) -> Element:
    if share is None:
        return element("td", {"class": "none"}, "–")
    level = round(min(max(share, 0.0), 1.0) * _LEVELS)
    return element("td", {"class": f"s{level}"}, f"{share:.2f}")
