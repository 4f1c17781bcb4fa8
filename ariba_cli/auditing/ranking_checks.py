"""The conditions that can make a ranking misleading, though every input is sound."""

import hashlib
import statistics
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import InputError
from ariba_cli.base.examples import first_few
from ariba_cli.base.findings import Fact, Finding, FindingKind
from ariba_cli.native.columns import medians
from ariba_cli.updates.fragments import Fragments
from ariba_cli.updates.intake import FEWEST_PARTICIPANTS, Submission
from ariba_cli.verdicts.verdict import MarkedLayer

# An update moves the mean by 1/n of itself. From four times the typical difference of
# two updates, what all others have in common after centring outweighs what they differ in.
_DOMINANT_SHIFT = 4.0
# The honest of the rounds that were looked at reach 1.6.
_FAR = 4.0
# Ids that one finding names.
_MOST_LISTED = 20
_SAMPLED_VALUES = 4096
_SAMPLED_OF_ALL = 2**20
# A sample is taken in so many places at most, and at each of so many values at least: a file is
# read at each of them, and of thousands of participants that takes long.
_SAMPLED_PLACES = 64
_SAMPLED_RUN = 16


def central_participant(fragments: Fragments) -> int:
    """Return the index of a participant that is like most others, if less than half are extreme.

    It is the one of median distance to the median of all, over a sample of values. The places of
    the sample depend on the first values of everybody: no participant can choose its
    position in it.
    """
    size = fragments.values
    sampled = min(_SAMPLED_VALUES, _SAMPLED_OF_ALL // fragments.participants)
    count = max(1, min(_SAMPLED_PLACES, sampled // _SAMPLED_RUN))
    run = min(size, max(1, sampled // count))
    places = _drawn_places(fragments.entropy(), count, size - run + 1)
    values = fragments.values_at((places[:, None] + np.arange(run)).reshape(-1))
    values = values.astype(np.float64)
    distances = np.square(values - medians(values)).sum(axis=1)
    return int(np.argsort(distances, kind="stable")[(len(distances) - 1) // 2])


def _drawn_places(seed: bytes, count: int, limit: int) -> npt.NDArray[np.intp]:
    """Return some numbers below a limit, in order.

    They come from a hash: the import of NumPy's generators takes longer than all the rest.
    """
    drawn = np.frombuffer(hashlib.shake_128(seed).digest(8 * count), "<u8")
    return np.sort(drawn % np.uint64(limit)).astype(np.intp)


def left_out_unchanged(idle: Sequence[Submission], participants: int) -> list[Finding]:
    """Return the finding that some sent the global model back, one for all of them.

    Parameters
    ----------
    idle : sequence of Submission
        The submissions of these.
    participants : int
        The number of participants in all.

    Raises
    ------
    InputError
        When too few others are left.
    """
    if not idle:
        return []
    ids = tuple(one.member.id for one in idle)
    detail = f"{first_few(ids, _MOST_LISTED)} sent the global model back unchanged"
    if participants - len(ids) < FEWEST_PARTICIPANTS:
        raise InputError(
            f"{participants - len(ids)} of {participants} participants trained, and an audit "
            f"needs at least {FEWEST_PARTICIPANTS}; {detail}"
        )
    return [
        Finding(
            FindingKind.UNCHANGED,
            f"{detail}: left out, since there is nothing to judge",
            group=ids,
        )
    ]


def duplicates(scored: Sequence[Submission], layer: str) -> list[Finding]:
    """Return a finding for each group of participants who sent the same bytes."""
    groups: dict[str | None, list[str]] = {}
    for one in scored:
        groups.setdefault(one.digest, []).append(one.member.id)
    return [
        Finding(
            FindingKind.DUPLICATE,
            f"{first_few(group, _MOST_LISTED)} sent the same {layer}, byte for byte",
            layer=layer,
            group=tuple(group),
        )
        for group in groups.values()
        if len(group) > 1
    ]


def dominant(
    scored: Sequence[Submission], from_reference: npt.NDArray[np.float64], layer: str
) -> list[Finding]:
    """Return findings of participants so far from the central one that they hide the others.

    Parameters
    ----------
    scored : sequence of Submission
        The submissions of the n scored participants.
    from_reference : float64 array of shape (n,)
        The l2 distance of each from the central participant.
    layer : str
        The name of the layer.
    """
    typical = statistics.median_low(from_reference.tolist())
    return [
        Finding(
            FindingKind.DOMINANT,
            f"is {distance / typical:.0e} times as far from the others in {layer} as they are "
            "from each other, which hides how they differ",
            one.member.id,
            layer,
            facts={"times": float(f"{distance / typical:.0e}")},
        )
        for one, distance in zip(scored, from_reference.tolist(), strict=True)
        if distance > _DOMINANT_SHIFT * len(scored) * typical > 0
    ]


def far_out(ids: Sequence[str], from_reference: npt.NDArray[np.float64]) -> tuple[str, ...]:
    """Return those who are so far from the central one that a mean should not count them.

    They are less than half of all: the typical distance is that of the median participant.

    Parameters
    ----------
    ids : sequence of str
        The n scored participants.
    from_reference : float64 array of shape (n,)
        The l2 distance of each from the central participant.
    """
    typical = statistics.median_low(from_reference.tolist())
    return tuple(
        name
        for name, distance in zip(ids, from_reference.tolist(), strict=True)
        if distance > _FAR * typical > 0
    )


def equal_everywhere(layer: str, participants: int) -> Finding:
    """Return the finding that a layer tells nobody apart, since all sent the same."""
    return Finding(
        FindingKind.DEGENERATE,
        f"all {participants} updates are equal in {layer}, so it ranks nobody",
        layer=layer,
        facts={"participants": participants},
    )


def degenerate(detector: str, result: MarkedLayer) -> list[Finding]:
    """Return the finding that a detector marks nothing in a layer, and why, where that is so."""
    if result.marked:
        return []
    if result.covariance_rank == 0:
        return [equal_everywhere(result.layer, result.participants)]
    if result.covariance_rank is None:
        detail = f"{detector} scores all fragments of {result.layer} alike, so it ranks nobody"
    else:
        detail = (
            f"fragments of {result.dimension} values are too wide for {result.participants} "
            f"updates of {result.layer}: all lie equally far apart, so it ranks nobody"
        )
    facts: dict[str, Fact] = {"detector": detector, "dimension": result.dimension}
    return [Finding(FindingKind.DEGENERATE, detail, layer=result.layer, facts=facts)]


def large_k_est(k_est: int, participants: int) -> list[Finding]:
    """Return the finding that k_est leaves no honest majority, where that is so."""
    if 2 * k_est < participants:
        return []
    detail = f"k_est is {k_est} of {participants}, and the method assumes an honest majority"
    facts: dict[str, Fact] = {"k_est": k_est, "participants": participants}
    return [Finding(FindingKind.LARGE_K_EST, detail, facts=facts)]
