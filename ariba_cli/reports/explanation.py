"""The reason for a participant's rank: its most distant fragments, in characters."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ariba_cli.base.visible import visible
from ariba_cli.reports.reasons import reason_in_words, sign_in_words
from ariba_cli.reports.text import Paper, indented, sentence
from ariba_cli.reports.words import cutoff_in_words, p_in_words, value_in_words, value_name
from ariba_cli.verdicts.evidence import Fragment, LayerEvidence
from ariba_cli.verdicts.verdict import Score, Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType

_SHOWN = 5
# Of a fragment that is no kernel only so much is drawn.
_MOST_ROWS, _MOST_COLUMNS = 8, 16
_SHADES = "·░▒▓█"
_DIGITS = "0123456789"
_INDENT = "    "
_GAP = "   "


def explanation(verdict: Verdict, identifier: str, paper: Paper) -> "list[RenderableType]":
    """Return the fragments furthest from the median of their layer, each beside a typical one.

    Parameters
    ----------
    verdict : Verdict
        The verdict, with evidence of the participant to explain.
    identifier : str
        The id of that participant.
    paper : Paper
        The paper on which they are drawn.
    """
    parts: list[RenderableType] = [sentence(_place_in_words(verdict, identifier), style="bold")]
    ranked = next((one for one in verdict.ranking if one.id == identifier), None)
    parts += [indented(reason_in_words(one)) for one in ranked.reasons] if ranked else []
    shown = [
        (layer, fragment)
        for layer in verdict.evidence
        for fragment in layer.most_distant.get(identifier, ())
    ]
    shown.sort(key=lambda pair: _unusual(pair[1]), reverse=True)
    for layer, fragment in shown[:_SHOWN]:
        parts.append(sentence(_fragment_in_words(verdict, layer, fragment)))
        parts += [sentence(line) for line in _maps(identifier, layer, fragment, paper)]
    return [*parts, ""]


def _place_in_words(verdict: Verdict, identifier: str) -> str:
    """Return the place of somebody in the ranking, and its marked fragments."""
    name = visible(identifier)
    ranked = next((one for one in verdict.ranking if one.id == identifier), None)
    if ranked is None:
        scored = any(one.id == identifier and one.status == "ok" for one in verdict.inputs)
        alike = "the updates cannot be told apart in the layers in which it was scored"
        return f"{name} is not ranked: {alike if scored else 'it was scored in no layer'}."
    what = f"{'' if ranked.named else 'not '}{'flagged' if verdict.by_level else 'a suspect'}"
    value = f"{value_name(verdict)} {value_in_words(verdict, ranked.value)}"
    place = f"{name} is {what}, rank {ranked.rank} with {value}"
    marks = ", ".join(
        f"{layer.scores[identifier]:,} of {layer.fragments:,} fragments of {visible(layer.layer)}"
        for layer in verdict.marked_layers
        if layer.marked and identifier in layer.scores
    )
    if marks:
        return f"{place}: marked are {marks}. Its most distant:"
    score = next(one for one in verdict.deciding.scores if one.id == identifier)
    if score.p_value is not None:
        return f"{place}, and {_chances_in_words(score)}."
    layers = ", ".join(
        f"{visible(layer)} {value_in_words(verdict, value)}"
        for layer, value in sorted(score.by_layer.items(), key=lambda one: -one[1])[:_SHOWN]
    )
    highest = f"; highest in {layers}" if layers else ""
    details = "".join(f"; {key} {value}" for key, value in sorted(score.details.items()))
    return f"{place}{highest}{visible(details)}."


def _chances_in_words(score: Score) -> str:
    """Return the chance that an honest participant has the score, and shows each sign."""
    signs = sorted(score.by_sign.items(), key=lambda one: one[1])
    each = ", ".join(f"{sign_in_words(sign)} {p_in_words(p_value)}" for sign, p_value in signs)
    return f"p-value {p_in_words(score.p_value)} (by sign: {each})"


def _unusual(fragment: Fragment) -> tuple[float, float]:
    """Return the key by which fragments of several layers are compared.

    Where the median is 0, most fragments of the layer are alike, and one that is not is further
    from them than any number of times the median elsewhere.
    """
    times = fragment.times_median
    if times is None:
        times = math.inf if fragment.distance > 0 else 0.0
    return times, fragment.distance


def _fragment_in_words(verdict: Verdict, layer: LayerEvidence, fragment: Fragment) -> str:
    times = (
        "" if fragment.times_median is None else f", {fragment.times_median:,.1f} times the median"
    )
    place = f"{visible(layer.layer)} [{', '.join(map(str, fragment.index))}]"
    return f"  {place}: {cutoff_in_words(verdict)} {fragment.distance:,.3g}{times}"


def _maps(identifier: str, layer: LayerEvidence, fragment: Fragment, paper: Paper) -> list[str]:
    """Return the fragment and the typical one, on one scale: side by side if there is room."""
    largest = max(map(abs, (*fragment.values, *fragment.typical_values)))
    scale = (_DIGITS if paper.ascii_only else _SHADES, largest)
    columns = layer.shape[1]
    own = [visible(identifier), *_map(fragment.values, columns, scale)]
    distance = f"{fragment.typical_distance:,.3g}"
    typical = [
        f"typical: {visible(fragment.typical_id)}, {distance}",
        *_map(fragment.typical_values, columns, scale),
    ]
    width = max(map(len, own))
    if len(_INDENT + _GAP) + width + max(map(len, typical)) <= paper.width:
        return [
            f"{_INDENT}{left:<{width}}{_GAP}{right}"
            for left, right in zip(own, typical, strict=True)
        ]
    return [_INDENT + line for line in (*own, *typical)]


def _map(values: Sequence[float], columns: int, scale: tuple[str, float]) -> list[str]:
    """Return a line for every row of values: each with its sign and the shade of its size."""
    rows = [values[start : start + columns] for start in range(0, len(values), columns)]
    return [
        " ".join(_cell(value, *scale) for value in row[:_MOST_COLUMNS]) for row in rows[:_MOST_ROWS]
    ]


def _cell(value: float, shades: str, largest: float) -> str:
    level = round(abs(value) / largest * (len(shades) - 1)) if largest > 0 else 0
    sign = " " if level == 0 else "-" if value < 0 else "+"
    return sign + shades[level]
