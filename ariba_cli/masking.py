"""What can keep a ranking from meaning what it says, though every input is sound."""

import hashlib
import math
import statistics
from collections.abc import Sequence

import numpy as np

from ariba_cli.findings import Finding, FindingKind
from ariba_cli.intake import Scorable
from ariba_cli.rounds.model import sum_of_squares
from ariba_cli.verdict import LayerResult

# An update moves the mean by 1/n of itself. From four times the typical difference of
# two updates, what all others have in common after centring outweighs what they differ in.
_DOMINANT_SHIFT = 4.0
_SAMPLED_VALUES = 4096
_SAMPLED_OF_ALL = 2**20


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
    """Participants so far from the others that they hide what the others differ in."""
    ordinary = _ordinary(scored)
    distances = [math.sqrt(sum_of_squares(one.values, ordinary.values)) for one in scored]
    typical = statistics.median_low(distances)
    return [
        Finding(
            FindingKind.DOMINANT,
            f"is {distance / typical:.0e} times as far from the others in {layer} as they are "
            "from each other, and hides what they differ in; audit again without it",
            one.id,
        )
        for one, distance in zip(scored, distances, strict=True)
        if distance > _DOMINANT_SHIFT * len(scored) * typical > 0
    ]


def _ordinary(scored: Sequence[Scorable]) -> Scorable:
    """A participant that is like most others, while less than half of them are extreme.

    It is the one of median distance to the median of all, over a sample of values that
    depends on what everybody sent: no participant can choose its place in it.
    """
    entropy = hashlib.sha256("".join(one.digest for one in scored).encode()).digest()
    rng = np.random.default_rng(int.from_bytes(entropy, "big"))
    sampled = min(_SAMPLED_VALUES, max(1, _SAMPLED_OF_ALL // len(scored)))
    sample = rng.integers(scored[0].values.size, size=sampled)
    values = np.stack([one.values[sample] for one in scored]).astype(np.float64)
    distances = np.square(values - np.median(values, axis=0)).sum(axis=1)
    return scored[int(np.argsort(distances, kind="stable")[(len(scored) - 1) // 2])]


def _degenerate(result: LayerResult) -> list[Finding]:
    if result.marked:
        return []
    if result.covariance_rank is None:
        detail = f"the detector scores all fragments of {result.layer} alike: nobody is ranked"
    elif result.covariance_rank:
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
