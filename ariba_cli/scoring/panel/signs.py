"""The signs that may betray an update: each a function of its own, with its values."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ariba_cli.base.medians import median_of
from ariba_cli.scoring.panel.groups import Groups, norms, relative_sums
from ariba_cli.scoring.panel.pairs import class_mix_residual, pair_cosines, residual_cosines
from ariba_cli.scoring.panel.robust import (
    DECIMALS,
    Kept,
    deviations,
    gap_evidence,
    likeness,
    share_distance,
)
from ariba_cli.scoring.update_statistics import Float64

# The honest differ by a quarter in length at least.
_SIZE_FLOOR = 0.25
# How the honest share their movement out over layers differs by a fiftieth at least.
_SHARE_FLOOR = 0.02
# And over the inputs and outputs of a layer.
_UNIT_FLOOR = 0.02
# Rounding to float32 makes such a sum over classes, by the length of the model's layer over that
# of an update, and training a little.
_SUM_FLOOR = 0.002
_ROUNDING = 128 * 2.0**-24
_TINY = 1e-12
# In a single one nothing can be shared out.
_FEWEST_LAYERS = 2


class Reading(NamedTuple):
    """One statistic of all participants.

    Attributes
    ----------
    tail : str
        The name of its tail.
    layer : str, optional
        The group of layers; None for the whole update.
    values : float64 array of shape (n,)
        The robust deviations, larger where more suspicious.
    statistic : str
        The name of the measured statistic.
    measured : float64 array of shape (n,), or (n, n) for pairs
        The measured values, in their own unit.
    labels : int array of shape (n,), optional
        The class at which each update points.
    alike : sequence of int arrays, optional
        The participants who share the value, itself included, by participant.
    """

    tail: str
    layer: str | None
    values: Float64
    statistic: str
    measured: Float64
    labels: npt.NDArray[np.intp] | None = None
    alike: Sequence[npt.NDArray[np.intp]] | None = None


def size(groups: Groups, _: Kept) -> Iterator[Reading]:
    """Yield the length of an update, in all and by layer, and its gap above all shorter ones."""
    if not groups.total.from_global:
        return
    everybody = np.ones(groups.participants, dtype=bool)
    lengths_by: dict[str | None, Float64] = {None: groups.norms}
    lengths_by |= {name: norms(own) for name, own in groups.deep.items()}
    for name, lengths in lengths_by.items():
        found = deviations(np.log(lengths), everybody, _SIZE_FLOOR)
        where = "all" if name is None else "layer"
        yield Reading(f"size:{where}", name, found, "times-median", lengths / median_of(lengths))
    gaps, relative = gap_evidence(np.log(groups.norms)), groups.norms / median_of(groups.norms)
    yield Reading("size:gap", None, gaps, "times-median", relative)


def along(groups: Groups, kept: Kept) -> Iterator[Reading]:
    """Yield the degree to which an update shrinks or inflates the global model's own weights."""
    if groups.total.along_global is None:
        return
    length = np.sqrt(max(groups.total.global_square, _TINY))
    found: list[tuple[str | None, Float64]] = [
        (None, groups.total.along_global / groups.norms / length)
    ]
    if not groups.normalised:
        found += [
            (name, own.along_global / norms(own) / np.sqrt(own.global_square))
            for name, own in groups.deep.items()
            if own.along_global is not None and own.global_square > 0
        ]
    for name, cosine in found:
        moved = deviations(-cosine, kept)
        where = "all" if name is None else "layer"
        yield Reading(f"along:{where}-", name, moved, "cosine", cosine)
        yield Reading(f"along:{where}+", name, -moved, "cosine", cosine)


def same(groups: Groups, kept: Kept) -> Iterator[Reading]:
    """Yield the degree to which an update points the same way as some others."""
    scaled = {
        name: own.gram / median_of(norms(own)[kept]) ** 2 for name, own in groups.deep.items()
    }
    everybody = np.ones(groups.participants, dtype=bool)
    yield from _likeness("same", None, pair_cosines(scaled.values(), kept), kept, everybody)
    for name, gram in scaled.items():
        yield from _likeness("same", name, pair_cosines([gram], kept), kept, everybody)


def group(groups: Groups, _: Kept) -> Iterator[Reading]:
    """Yield the distance by which a close group of participants stays apart from all others."""
    if groups.close:
        apart, alike = groups.apart
        yield Reading("group:all", None, np.round(apart, DECIMALS), "apart", apart, alike=alike)


def beyond(groups: Groups, kept: Kept) -> Iterator[Reading]:
    """Yield the same as `same`, for the part that the mix of classes does not explain."""
    if groups.output is None or not groups.total.from_global:
        return
    residual, judged = class_mix_residual(groups.output.bias / groups.norms[:, None], kept)
    units = {name: _units(own.gram) for name, own in groups.deep.items()}
    yield from _likeness("beyond", None, residual_cosines(units.values(), residual), kept, judged)
    for name, gram in units.items():
        yield from _likeness("beyond", name, residual_cosines([gram], residual), kept, judged)


def push(groups: Groups, kept: Kept) -> Iterator[Reading]:
    """Yield the degree to which all corrections for a class pull one way."""
    if groups.output is None or not groups.total.from_global:
        return
    rows = np.sqrt(np.maximum(groups.output.row_squares, 0.0))
    agreement = np.abs(groups.output.bias) / np.maximum(rows, _TINY)
    largest = np.log(np.maximum(agreement.max(axis=1), 1e-9))
    mean = np.log(np.maximum(np.sqrt(np.square(agreement).mean(axis=1)), 1e-9))
    labels = agreement.argmax(axis=1)
    for which, found in {"max": largest, "rms": mean}.items():
        statistic = "agreement" if which == "max" else "mean-agreement"
        values = deviations(found, kept)
        yield Reading(f"push:{which}", None, values, statistic, np.exp(found), labels)


def nonsoftmax(groups: Groups, kept: Kept) -> Iterator[Reading]:
    """Yield the degree to which cross-entropy alone cannot make the output layer's update."""
    if groups.output is None or not groups.total.from_global or not groups.descent_is_plain:
        return
    sums = relative_sums(groups.output)
    found = deviations(sums, kept, max(_SUM_FLOOR, _ROUNDING * _output_scale(groups)))
    yield Reading("nonsoftmax:all", None, found, "relative-sum", sums)


def profile(groups: Groups, kept: Kept) -> Iterator[Reading]:
    """Yield measures of how unusually an update's movement is shared out over the layers."""
    if len(groups.deep) < _FEWEST_LAYERS or not groups.total.from_global:
        return
    shares = {name: norms(own) / groups.norms for name, own in groups.deep.items()}
    moved = {
        name: np.abs(deviations(np.log(own), kept, _SHARE_FLOOR)) for name, own in shares.items()
    }
    together = np.sqrt(np.square(list(moved.values())).mean(axis=0))
    yield Reading("profile:all", None, together, "mean-deviation", together)
    for name, own in moved.items():
        yield Reading("profile:layer", name, own, "share", shares[name])


def units(groups: Groups, kept: Kept) -> Iterator[Reading]:
    """Yield measures of how unusually movement is shared out over inputs and outputs of layers."""
    if not groups.sides or not groups.total.from_global:
        return
    distances = [
        (name, share_distance(squares, kept))
        for name, sides in groups.sides.items()
        for squares in sides
    ]
    moved = [(name, own, deviations(np.log(own), kept, _UNIT_FLOOR)) for name, own in distances]
    together = np.mean([values for _, _, values in moved], axis=0)
    yield Reading("units:all", None, deviations(together, kept), "mean-deviation", together)
    for name, own, values in moved:
        yield Reading("units:layer", name, values, "distance", own)


# By name, in the order in which reports have them.
SIGNS: dict[str, Callable[[Groups, Kept], Iterator[Reading]]] = {
    "along": along,
    "same": same,
    "group": group,
    "beyond": beyond,
    "push": push,
    "nonsoftmax": nonsoftmax,
    "profile": profile,
    "units": units,
    "size": size,
}


def _units(gram: Float64) -> Float64:
    """Return the inner products of updates of length 1."""
    lengths = np.sqrt(np.maximum(np.diagonal(gram), 1e-300))
    found: Float64 = gram / lengths / lengths[:, None]
    return found


def _output_scale(groups: Groups) -> float:
    """Return the length of the model's output layer divided by that of its usual update."""
    assert groups.output is not None
    name = groups.output.layer.rpartition(".")[0]
    squares = groups.output.row_squares.sum(axis=1)
    usual = max(median_of(squares), _TINY**2)
    return float(np.sqrt(groups.deep[name].global_square / usual))


def _likeness(
    sign: str, layer: str | None, cosines: Float64, kept: Kept, judged: Kept
) -> Iterator[Reading]:
    where = "all" if layer is None else "layer"
    for which, values in likeness(cosines, kept, judged).items():
        yield Reading(f"{sign}:{where}{which}", layer, values, "cosine", cosines)
