"""The ranking: the result of a detector → the order of the participants, in exact arithmetic."""

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction

from ariba_cli.base.ids import id_order
from ariba_cli.detectors.declaration import Scores
from ariba_cli.verdicts.verdict import MarkedLayer, Score

# To how many significant digits scores are compared, which are sums of rounded numbers.
_DIGITS = 6


def scores_of_marks(results: Sequence[MarkedLayer]) -> tuple[Score, ...]:
    """Order participants by (−mean share, id).

    A participant's mean is over the layers in which it was scored. A layer in which nobody can
    be told apart counts for nobody; nobody is scored when there is no other.
    """
    scores: dict[str, int] = {}
    shares: dict[str, dict[str, Fraction]] = {}
    for result in results:
        if result.marked:
            for name, score in result.scores.items():
                scores[name] = scores.get(name, 0) + score
                shares.setdefault(name, {})[result.layer] = Fraction(score, result.fragments)
    means = {name: _mean(own.values()) for name, own in shares.items()}
    return tuple(
        Score(
            id=name,
            score=scores[name],
            share=float(means[name]),
            by_layer={layer: float(share) for layer, share in shares[name].items()},
        )
        for name in sorted(means, key=lambda name: (-means[name], id_order(name)))
    )


def _mean(shares: Collection[Fraction]) -> Fraction:
    # Arithmetic of fractions is slow, and most audits of thousands are of one layer.
    return next(iter(shares)) if len(shares) == 1 else sum(shares, Fraction()) / len(shares)


def scores_of_updates(ids: Sequence[str], found: Scores) -> tuple[Score, ...]:
    """Order participants by (−score, id), with scores to six significant digits."""
    totals = dict(zip(ids, map(_short, found.total.tolist()), strict=True))
    by_layer: Mapping[str, list[float]] = {
        layer: list(map(_short, scores.tolist())) for layer, scores in found.by_layer.items()
    }
    places = {name: place for place, name in enumerate(ids)}
    return tuple(
        Score(
            id=name,
            score=totals[name],
            by_layer={layer: scores[places[name]] for layer, scores in by_layer.items()},
            p_value=None if found.p_values is None else found.p_values[places[name]],
            details={key: values[places[name]] for key, values in found.details.items()},
        )
        for name in sorted(ids, key=lambda name: (-totals[name], id_order(name)))
    )


def _short(score: float) -> float:
    return float(f"{score:.{_DIGITS}g}")
