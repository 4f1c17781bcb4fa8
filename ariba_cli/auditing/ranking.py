"""The scores of every layer → one ranking, in exact arithmetic."""

from collections.abc import Sequence
from fractions import Fraction

from ariba_cli.base.ids import id_order
from ariba_cli.verdicts.verdict import LayerResult, Ranked


def rank(results: Sequence[LayerResult], k_est: int) -> tuple[tuple[Ranked, ...], bool]:
    """Order by (−mean share, id); the first k̃ are suspects.

    A participant's mean is over the layers in which it was scored. A layer in which nobody can
    be told apart counts for nobody.

    Returns
    -------
    The ranking, which is empty when there is no other layer; and whether the last suspect
    and the next participant have the same mean share.
    """
    scores: dict[str, int] = {}
    shares: dict[str, dict[str, Fraction]] = {}
    for result in results:
        if result.marked:
            for name, score in result.scores.items():
                scores[name] = scores.get(name, 0) + score
                shares.setdefault(name, {})[result.layer] = Fraction(score, result.fragments)
    means = {name: sum(own.values(), Fraction()) / len(own) for name, own in shares.items()}
    order = sorted(means, key=lambda name: (-means[name], id_order(name)))
    ranking = tuple(
        Ranked(
            rank=place,
            id=name,
            score=scores[name],
            share=float(means[name]),
            shares={layer: float(share) for layer, share in shares[name].items()},
            suspect=place <= k_est,
        )
        for place, name in enumerate(order, 1)
    )
    return ranking, bool(order) and means[order[k_est - 1]] == means[order[k_est]]
