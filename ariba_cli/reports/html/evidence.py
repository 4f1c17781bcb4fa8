"""The choice of the layers to show where there are many of them."""

import math
from collections.abc import Sequence

from ariba_cli.reports.html.people import values_by_layer
from ariba_cli.reports.words import marks_fragments
from ariba_cli.verdicts.evidence import LayerEvidence
from ariba_cli.verdicts.verdict import Verdict

_MOST_LAYERS = 8
_MOST_OPEN = 2


def layers_to_draw(verdict: Verdict) -> tuple[LayerEvidence, ...]:
    """Return, in model order, the layers in which a suspect has the highest values."""
    return _of(verdict, _MOST_LAYERS)


def layers_to_open(verdict: Verdict) -> tuple[LayerEvidence, ...]:
    """Return those of them whose pictures are seen at once, without a click."""
    return _of(verdict, _MOST_OPEN)


def left_out_in_words(verdict: Verdict) -> str | None:
    """Return the statement that not all layers are drawn; None where all are."""
    if len(verdict.evidence) <= _MOST_LAYERS:
        return None
    return (
        f"Drawn are the {_MOST_LAYERS} of {len(verdict.evidence):,} layers in which a suspect has "
        f"the highest {values_in_words(verdict)}; the JSON report has the others."
    )


def values_in_words(verdict: Verdict) -> str:
    """Return the name of the values by layer of the detector that decides: shares, or scores."""
    return "shares" if marks_fragments(verdict) else "scores"


def most_telling(verdict: Verdict, layers: Sequence[str], count: int) -> list[int]:
    """Return the places, in order, of the layers in which a suspect has the highest values."""
    highest = dict.fromkeys(layers, -math.inf)
    by_layer = values_by_layer(verdict)
    for ranked in verdict.suspects:
        for layer, value in by_layer.get(ranked.id, {}).items():
            highest[layer] = max(highest.get(layer, -math.inf), value)
    order = sorted(range(len(layers)), key=lambda place: (-highest[layers[place]], place))
    return sorted(order[:count])


def _of(verdict: Verdict, count: int) -> tuple[LayerEvidence, ...]:
    names = [one.layer for one in verdict.evidence]
    return tuple(verdict.evidence[place] for place in most_telling(verdict, names, count))
