"""What can keep a ranking from meaning what it says, though every input is sound."""

import statistics
from collections.abc import Sequence

import numpy as np

from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.scoring.marks import Marks
from ariba_cli.updates.fragments import Fragments
from ariba_cli.updates.intake import Submission
from ariba_cli.verdicts.verdict import LayerResult

# An update moves the mean by 1/n of itself. From four times the typical difference of
# two updates, what all others have in common after centring outweighs what they differ in.
_DOMINANT_SHIFT = 4.0
_SAMPLED_VALUES = 4096
_SAMPLED_OF_ALL = 2**20
# A sample is taken in so many places: a file is read at each of them.
_SAMPLED_PLACES = 64


def central_participant(fragments: Fragments) -> int:
    """The index of a participant that is like most others, while less than half are extreme.

    It is the one of median distance to the median of all, over a sample of values. Where
    that is taken depends on how everybody's values start: no participant can choose its
    place in it.
    """
    size = fragments.values
    rng = np.random.default_rng(int.from_bytes(fragments.entropy(), "big"))
    sampled = min(_SAMPLED_VALUES, _SAMPLED_OF_ALL // fragments.participants)
    run = min(size, max(1, sampled // _SAMPLED_PLACES))
    places = np.sort(rng.integers(size - run + 1, size=_SAMPLED_PLACES))
    values = fragments.values_at((places[:, None] + np.arange(run)).reshape(-1))
    values = values.astype(np.float64)
    distances = np.square(values - np.median(values, axis=0)).sum(axis=1)
    return int(np.argsort(distances, kind="stable")[(len(distances) - 1) // 2])


def masking_findings(
    scored: Sequence[Submission], marks: Marks, result: LayerResult, k_est: int
) -> list[Finding]:
    """Whatever of it holds for one layer."""
    return [
        *_duplicates(scored, result.layer),
        *_dominant(scored, marks, result.layer),
        *_degenerate(result),
        *_large_k_est(result, k_est),
    ]


def _duplicates(scored: Sequence[Submission], layer: str) -> list[Finding]:
    """Participants whose bytes somebody else sent too: a copied or replayed update."""
    first: dict[str | None, str] = {}
    findings = []
    for one in scored:
        twin = first.setdefault(one.digest, one.member.id)
        if twin != one.member.id:
            detail = f"sent the same {layer} as {twin}, byte for byte"
            findings.append(Finding(FindingKind.DUPLICATE, detail, one.member.id))
    return findings


def _dominant(scored: Sequence[Submission], marks: Marks, layer: str) -> list[Finding]:
    """Participants so far from the central one that they hide what the others differ in."""
    typical = statistics.median_low(marks.from_reference.tolist())
    return [
        Finding(
            FindingKind.DOMINANT,
            f"is {distance / typical:.0e} times as far from the others in {layer} as they are "
            "from each other, and hides what they differ in; audit again without it",
            one.member.id,
        )
        for one, distance in zip(scored, marks.from_reference, strict=True)
        if distance > _DOMINANT_SHIFT * len(scored) * typical > 0
    ]


def _degenerate(result: LayerResult) -> list[Finding]:
    if result.marked:
        return []
    if result.covariance_rank is None:
        detail = f"the detector scores all fragments of {result.layer} alike: nobody is ranked"
    elif result.covariance_rank:
        detail = (
            f"fragments of {result.dimension} values are too wide for {result.participants} "
            f"updates of {result.layer}: all are equally distant, and it ranks nobody"
        )
    else:
        detail = f"all {result.participants} updates are equal in {result.layer}: it ranks nobody"
    return [Finding(FindingKind.DEGENERATE, detail)]


def _large_k_est(result: LayerResult, k_est: int) -> list[Finding]:
    if 2 * k_est < result.participants:
        return []
    detail = f"k_est is {k_est} of {result.participants}: ARIBA assumes an honest majority"
    return [Finding(FindingKind.LARGE_K_EST, detail)]
