"""Several layers: the values of each participant in each, as a table that is a heat map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from ariba_cli.base.visible import visible
from ariba_cli.reports.html.blocks import count, folded, note, section, table
from ariba_cli.reports.html.evidence import most_telling, values_in_words
from ariba_cli.reports.html.markup import Child, element, short
from ariba_cli.reports.html.people import shown, values_by_layer
from ariba_cli.reports.words import marks_fragments, value_name
from ariba_cli.verdicts.ranked import Ranked
from ariba_cli.verdicts.verdict import ExaminedLayer, MarkedLayer, Verdict

_MOST_SUSPECTS = 40
_MOST_LAYERS = 60
_LEVELS = 10
_NAME = 24


def layers_section(verdict: Verdict) -> Element | None:
    """Return the values by layer; None for one layer, or where nobody is ranked."""
    names = layer_names(verdict)
    if len(names) < 2 or not verdict.ranking:
        return None
    listed = folded(f"The {len(names):,} layers", layers_table(verdict))
    if not any(one.by_layer for one in verdict.deciding.scores):
        text = "The score covers all layers together; the reasons say where a sign is strongest."
        return section("layers", "Layers", note(text), listed)
    people = shown(verdict, suspects=_MOST_SUSPECTS)
    children: list[Child] = [note(_explanation(verdict)), _heat(people.all, verdict)]
    if len(names) > _MOST_LAYERS:
        text = (
            f"Shown are the {_MOST_LAYERS} layers in which a suspect has the highest "
            f"{values_in_words(verdict)}."
        )
        children.append(note(text))
    if people.left_out:
        children.append(note(f"Another {count(people.left_out, 'participant')} not shown here."))
    children.append(listed)
    return section("layers", "Layers", *children)


def layer_names(verdict: Verdict) -> list[str]:
    """Return the layers of the detector that decides, in model order."""
    return [one.layer for one in verdict.marked_layers or verdict.layers]


def layers_table(verdict: Verdict) -> Element:
    """Return the facts about every layer, with its cutoff if fragments of it were marked."""
    if not verdict.marked_layers:
        examined = (_examined(place, layer) for place, layer in enumerate(verdict.layers, 1))
        return table(("", "layer", "shape", "participants n"), examined, right=(1, 4), heading=1)
    headers = (
        "",
        "layer",
        "fragment",
        "participants n",
        "fragments m",
        "values d",
        "left out",
        "marked k_est·m",
        "rank",
        "cutoff at",
        "margin",
    )
    marked = (_marked(place, layer) for place, layer in enumerate(verdict.marked_layers, 1))
    return table(headers, marked, right=(1, 4, 5, 6, 7, 8, 9, 10, 11), heading=1)


def _examined(place: int, layer: ExaminedLayer) -> tuple[str, ...]:
    shape = " × ".join(map(str, layer.shape)) or "one value"
    return str(place), visible(layer.layer), shape, f"{layer.participants:,}"


def _marked(place: int, layer: MarkedLayer) -> tuple[str, ...]:
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
        f"{layer.cutoff_distance:.6g}",
        f"{layer.cutoff_margin:.2g}",
    )


def _explanation(verdict: Verdict) -> str:
    if marks_fragments(verdict):
        return (
            "The share of a participant's fragments that is marked, by layer. Each layer is "
            "scored separately, and the mean decides the ranking. A stronger colour means more "
            "marks."
        )
    return (
        f"The score of each single layer ({value_name(verdict)}), and that of whole updates, "
        "which decides the ranking and is not a mean of the others. A stronger colour means a "
        "score nearer to the largest in that column."
    )


@dataclass(frozen=True)
class _Column:
    """One column of the heat map.

    Attributes
    ----------
    header : str
        The header of the column.
    values : dict of str to float
        The values by participant; those who were not scored are not in it.
    limit : float
        The value of the strongest colour.
    decimals : str
        The format of the values.
    """

    header: str
    values: Mapping[str, float]
    limit: float
    decimals: str

    def cell(self, name: str) -> Element:
        """Return the cell of a participant."""
        value = self.values.get(name)
        if value is None:
            return element("td", {"class": "none"}, "–")
        part = value / self.limit if self.limit > 0 else 0.0
        level = round(min(max(part, 0.0), 1.0) * _LEVELS)
        return element("td", {"class": f"s{level}"}, format(value, self.decimals))


def _heat(people: Sequence[Ranked], verdict: Verdict) -> Element:
    columns = _columns(verdict)
    headers = ["participant", *(column.header for column in columns)]
    rows = ([_name(ranked), *(column.cell(ranked.id) for column in columns)] for ranked in people)
    return table(headers, rows, kind="heatmap")


def _columns(verdict: Verdict) -> list[_Column]:
    """Return the column by which people are ranked, and one for each layer that is shown."""
    names = layer_names(verdict)
    marks = marks_fragments(verdict)
    by_layer = values_by_layer(verdict)
    means = {ranked.id: ranked.value for ranked in verdict.ranking}
    found = [("mean" if marks else "whole update", means)]
    for place in most_telling(verdict, names, _MOST_LAYERS):
        layer = names[place]
        header = f"{place + 1} {short(layer.removesuffix('.weight'), _NAME)}"
        values = {name: own[layer] for name, own in by_layer.items() if layer in own}
        found.append((header, values))
    return [
        _Column(
            header=header,
            values=values,
            limit=1.0 if marks else max(values.values(), default=0.0),
            decimals=".2f" if marks else ".3g",
        )
        for header, values in found
    ]


def _name(ranked: Ranked) -> Element:
    kind = "suspect" if ranked.named else "other"
    mark = "▲ " if ranked.named else ""
    return element("span", {"class": kind}, f"{mark}{visible(ranked.id)}")
