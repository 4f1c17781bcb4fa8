"""What can keep a ranking from meaning what it says, though every input is sound."""

import statistics
from collections.abc import Sequence

import numpy as np

from ariba_cli.findings import Finding, FindingKind
from ariba_cli.intake import Array, Scorable
from ariba_cli.verdict import LayerResult

# An update moves the mean by 1/n of itself. From four times the typical difference of
# two updates, what all others have in common after centring outweighs what they differ in.
_DOMINANT_SHIFT = 4.0


def masking_findings(scored: Sequence[Scorable], result: LayerResult, k_est: int) -> list[Finding]:
    """Whatever of it holds for one layer."""
    return [
        *_duplicates(scored, result.layer),
        *_dominant(scored, result.layer),
        *_degenerate(result),
        *_large_k_est(result, k_est),
    ]


def _duplicates(scored: Sequence[Scorable], layer: str) -> list[Finding]:
    """Participants whose bytes somebody else sent too: a copied or replayed update."""
    first: dict[str, str] = {}
    findings = []
    for one in scored:
        twin = first.setdefault(one.digest, one.id)
        if twin != one.id:
            detail = f"sent the same {layer} as {twin}, byte for byte"
            findings.append(Finding(FindingKind.DUPLICATE, detail, one.id))
    return findings


def _dominant(scored: Sequence[Scorable], layer: str) -> list[Finding]:
    """Participants so far from the others that they hide what the others differ in.

    Typical is the median difference between neighbours in the list, which holds while
    less than a quarter of them are extreme.
    """
    steps = [
        _difference(one.values, next_.values)
        for one, next_ in zip(scored, [*scored[1:], scored[0]], strict=True)
    ]
    typical = statistics.median_low(steps)
    limit = _DOMINANT_SHIFT * len(scored) * typical
    if typical == 0 or max(steps) <= limit:
        return []
    ordinary = scored[steps.index(typical)]
    distances = [_difference(one.values, ordinary.values) for one in scored]
    return [
        Finding(
            FindingKind.DOMINANT,
            f"is {distance / typical:.0e} times as far from the others in {layer} as they are "
            "from each other, and hides what they differ in; audit again without it",
            one.id,
        )
        for one, distance in zip(scored, distances, strict=True)
        if distance > limit
    ]


def _difference(one: Array, other: Array) -> float:
    """The l2 distance of two tensors."""
    return float(np.sqrt(np.square(np.subtract(one, other, dtype=np.float64)).sum()))


def _degenerate(result: LayerResult) -> list[Finding]:
    if result.marked:
        return []
    if result.covariance_rank:
        detail = (
            f"fragments of {result.dimension} values are too wide for {result.participants} "
            f"updates of {result.layer}: all are equally distant, and nobody is ranked"
        )
    else:
        detail = f"all {result.participants} updates are equal in {result.layer}: nobody is ranked"
    return [Finding(FindingKind.DEGENERATE, detail)]


def _large_k_est(result: LayerResult, k_est: int) -> list[Finding]:
    if 2 * k_est < result.participants:
        return []
    detail = f"k_est is {k_est} of {result.participants}: ARIBA assumes an honest majority"
    return [Finding(FindingKind.LARGE_K_EST, detail)]
