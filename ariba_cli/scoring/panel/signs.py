"""The signs by which an update may be told: each a function of its own, with its values."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ariba_cli.scoring.panel.groups import Groups, norms, relative_sums
from ariba_cli.scoring.panel.pairs import class_mix_residual, pair_cosines, residual_cosines
from ariba_cli.scoring.panel.robust import Kept, deviations, likeness
from ariba_cli.scoring.update_statistics import Float64

# The honest differ by a quarter in length at least.
_SIZE_FLOOR = 0.25
# Rounding explains such a sum over classes where hardly anything was learned.
_SUM_FLOOR = 0.05
_TINY = 1e-12


class Reading(NamedTuple):
    """One statistic of all participants.

    Attributes
    ----------
    tail : str
        The name of its tail.
    layer : str, optional
        Of which group of layers; None for the whole update.
    values : float64 array of shape (n,)
        Robust deviations, larger where more suspicious.
    statistic : str
        The name of what was measured.
    measured : float64 array of shape (n,), or (n, n) for pairs
        What was, in its own unit.
    labels : int array of shape (n,), optional
        At which class it points.
    """

    tail: str
    layer: str | None
    values: Float64
    statistic: str
    measured: Float64
    labels: npt.NDArray[np.intp] | None = None


def size(groups: Groups, _: Kept) -> Iterator[Reading]:
    """Yield how long an update is, in all and in each layer."""
    if not groups.total.from_global:
        return
    everybody = np.ones(groups.participants, dtype=bool)
    lengths_by: dict[str | None, Float64] = {None: groups.norms}
    lengths_by |= {name: norms(own) for name, own in groups.deep.items()}
    for name, lengths in lengths_by.items():
        found = deviations(np.log(lengths), everybody, _SIZE_FLOOR)
        where = "all" if name is None else "layer"
        yield Reading(f"size:{where}", name, found, "times-median", lengths / np.median(lengths))


def along(groups: Groups, kept: Kept) -> Iterator[Reading]:
    """Yield how far an update shrinks the global model's own weights, or inflates them."""
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
    """Yield how far an update points the same way as some others."""
    scaled = {
        name: own.gram / np.median(norms(own)[kept]) ** 2 for name, own in groups.deep.items()
    }
    everybody = np.ones(groups.participants, dtype=bool)
    yield from _likeness("same", None, pair_cosines(scaled.values(), kept), kept, everybody)
    for name, gram in scaled.items():
        yield from _likeness("same", name, pair_cosines([gram], kept), kept, everybody)


def beyond(groups: Groups, kept: Kept) -> Iterator[Reading]:
    """Yield the same of what the mix of classes does not explain."""
    if groups.output is None or not groups.total.from_global:
        return
    residual, judged = class_mix_residual(groups.output.bias / groups.norms[:, None], kept)
    units = {name: _units(own.gram) for name, own in groups.deep.items()}
    yield from _likeness("beyond", None, residual_cosines(units.values(), residual), kept, judged)
    for name, gram in units.items():
        yield from _likeness("beyond", name, residual_cosines([gram], residual), kept, judged)


def push(groups: Groups, kept: Kept) -> Iterator[Reading]:
    """Yield how far all corrections for a class pull one way."""
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
    """Yield how far the output layer's update is none that cross-entropy alone makes."""
    if groups.output is None or not groups.total.from_global or not groups.descent_is_plain:
        return
    sums = relative_sums(groups.output)
    found = deviations(sums, kept, _SUM_FLOOR)
    yield Reading("nonsoftmax:all", None, found, "relative-sum", sums)


# By name, in the order in which reports have them.
SIGNS: dict[str, Callable[[Groups, Kept], Iterator[Reading]]] = {
    "along": along,
    "same": same,
    "beyond": beyond,
    "push": push,
    "nonsoftmax": nonsoftmax,
    "size": size,
}


def _units(gram: Float64) -> Float64:
    """Return the inner products of updates of length 1."""
    lengths = np.sqrt(np.maximum(np.diagonal(gram), 1e-300))
    found: Float64 = gram / lengths / lengths[:, None]
    return found


def _likeness(
    sign: str, layer: str | None, cosines: Float64, kept: Kept, judged: Kept
) -> Iterator[Reading]:
    where = "all" if layer is None else "layer"
    for which, values in likeness(cosines, kept, judged).items():
        yield Reading(f"{sign}:{where}{which}", layer, values, "cosine", cosines)
