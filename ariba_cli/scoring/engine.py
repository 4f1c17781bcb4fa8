"""Algorithm 2: a quick covariance where its error cannot matter, and an exact one elsewhere."""

from dataclasses import replace

from ariba_cli.scoring.covariance import (
    distances_from_reference,
    exactly_whitened,
    quick_sums,
    settles_nothing,
    uncertainty,
)
from ariba_cli.scoring.cpu import Cpu
from ariba_cli.scoring.marks import Marks, can_tell_apart, counted_k_ests, marks_of, nobody_marked
from ariba_cli.scoring.processor import Float64, Processor, Sums
from ariba_cli.scoring.selection import most_distant
from ariba_cli.scoring.whitening import whitening
from ariba_cli.updates.fragments import Fragments


def score(
    fragments: Fragments,
    k_est: int,
    processor: Processor | None = None,
    *,
    keep_distances: bool = False,
) -> Marks:
    """Mark the k_est·m most distant fragments (Eq. 7); 1 ≤ k_est < n.

    The marks for other k_est up to twice that come along: only the cut is another.

    The products that make up the covariance are first added up in whatever order the
    processor likes. Only where the rounding of that could change a mark or a digit of the
    report, they are added up again, exactly: either way the result is that of exact sums.

    Parameters
    ----------
    fragments : Fragments
        The fragments of n participants, m each.
    k_est : int
        The number k_est of suspected participants.
    processor : Processor, optional
        The processor to score on; None for the CPU.
    keep_distances : bool
        True to find every distance exactly and keep it.
    """
    processor = processor or Cpu()
    marks, cuts = None, len(counted_k_ests(k_est, fragments.participants))
    if keep_distances or settles_nothing(fragments, cuts):
        from_reference = distances_from_reference(fragments, processor)
    else:
        sums = quick_sums(fragments, processor)
        marks, from_reference = _if_settled(sums, fragments, k_est, processor), sums.from_reference
    if marks is None:
        marks = _exactly(from_reference, fragments, k_est, processor, keep_distances=keep_distances)
    return replace(marks, device=processor.name)


def _if_settled(sums: Sums, fragments: Fragments, k_est: int, processor: Processor) -> Marks | None:
    """Return the marks under quick sums; None if exact sums could give others."""
    factored = whitening(sums.products / fragments.total)
    # Of N distances, neighbours are about 1/N apart: with more doubt, nothing will be settled.
    if uncertainty(sums.additions, factored, 1.0) * fragments.total > 1:
        return None
    if not can_tell_apart(factored.rank, fragments.participants, fragments.cut.fragments):
        return None
    selected = most_distant(fragments, factored, k_est, processor)
    doubt = uncertainty(sums.additions, factored, selected.largest)
    counted = selected.counted
    if not (
        counted.end(k_est).is_certain(doubt)
        and all(one.marks_stay(doubt + selected.roughness) for one in counted.ends)
    ):
        return None
    return marks_of(counted, k_est, factored.rank, sums.from_reference)


def _exactly(
    from_reference: Float64,
    fragments: Fragments,
    k_est: int,
    processor: Processor,
    *,
    keep_distances: bool,
) -> Marks:
    factored = exactly_whitened(fragments)
    if not can_tell_apart(factored.rank, fragments.participants, fragments.cut.fragments):
        return nobody_marked(k_est, fragments.participants, factored.rank, from_reference)
    selected = most_distant(fragments, factored, k_est, processor, keep_distances=keep_distances)
    marks = marks_of(selected.counted, k_est, factored.rank, from_reference)
    return replace(marks, distances=selected.distances)
