"""Which layers are shown where there are many of them."""

from collections.abc import Sequence

from ariba_cli.verdicts.verdict import LayerEvidence, Verdict

_MOST_LAYERS = 8
_MOST_OPEN = 2


def layers_to_draw(verdict: Verdict) -> tuple[LayerEvidence, ...]:
    """In model order, the layers in which a suspect has the highest shares."""
    return _of(verdict, _MOST_LAYERS)


def layers_to_open(verdict: Verdict) -> tuple[LayerEvidence, ...]:
    """Those of them whose pictures are seen without asking for them."""
    return _of(verdict, _MOST_OPEN)


def left_out_in_words(verdict: Verdict) -> str | None:
    """That not all layers are drawn; None where all are."""
    if len(verdict.evidence) <= _MOST_LAYERS:
        return None
    return (
        f"Drawn are the {_MOST_LAYERS} of {len(verdict.evidence):,} layers in which a suspect has "
        "the highest shares; the JSON report has the others."
    )


def most_telling(verdict: Verdict, layers: Sequence[str], count: int) -> list[int]:
    """The places, in order, of the layers in which a suspect has the highest shares."""
    highest = dict.fromkeys(layers, 0.0)
    for ranked in verdict.suspects:
        for layer, share in ranked.shares.items():
            highest[layer] = max(highest.get(layer, 0.0), share)
    order = sorted(range(len(layers)), key=lambda place: (-highest[layers[place]], place))
    return sorted(order[:count])


def _of(verdict: Verdict, count: int) -> tuple[LayerEvidence, ...]:
    names = [one.layer for one in verdict.evidence]
    return tuple(verdict.evidence[place] for place in most_telling(verdict, names, count))
