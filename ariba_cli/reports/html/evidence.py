"""Which layers are drawn where there are many of them."""

from ariba_cli.verdict import LayerEvidence, Verdict

_MOST_LAYERS = 8


def layers_to_draw(verdict: Verdict) -> tuple[LayerEvidence, ...]:
    """In model order, the layers in which a suspect has the highest shares."""
    order = sorted(
        range(len(verdict.evidence)),
        key=lambda place: (-_highest(verdict, verdict.evidence[place].layer), place),
    )
    return tuple(verdict.evidence[place] for place in sorted(order[:_MOST_LAYERS]))


def left_out_in_words(verdict: Verdict) -> str | None:
    """That not all layers are drawn; None where all are."""
    if len(verdict.evidence) <= _MOST_LAYERS:
        return None
    return (
        f"Drawn are the {_MOST_LAYERS} of {len(verdict.evidence)} layers in which a suspect has "
        "the highest shares; the JSON report has the others."
    )


def _highest(verdict: Verdict, layer: str) -> float:
    return max((ranked.shares.get(layer, 0.0) for ranked in verdict.suspects), default=0.0)
