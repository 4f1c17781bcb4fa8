"""The data for pictures of a layer: a few fragments of everybody, and the most distant ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.auditing.choice import ChosenLayer
from ariba_cli.base.medians import median_of
from ariba_cli.scoring.covariance import exact_covariance
from ariba_cli.scoring.marks import Marks
from ariba_cli.updates.fragments import Fragments
from ariba_cli.verdicts.evidence import Fragment, LayerEvidence, Plane

Float64 = npt.NDArray[np.float64]

# A report of 50 participants shall stay below 300 kB, whatever the layers.
_SAMPLED_FRAGMENTS = 2000
_SHOWN_VALUES = 6000
_SHOWN_PARTICIPANTS = 5
_SHOWN_FRAGMENTS = 5
# Columns in which the values of a fragment that is no kernel are drawn.
_COLUMNS = 16
# To how many decimals points are given, in standard deviations: finer than a picture is.
_POINT_DECIMALS = 2
_VALUE_DIGITS = 4


@dataclass(frozen=True)
class Wanted:
    """The evidence to keep.

    Attributes
    ----------
    explained : tuple of str
        The participants whose fragments are shown whatever their score.
    layers : int
        The number of layers that share the space of the report.
    """

    explained: tuple[str, ...] = ()
    layers: int = 1


def layer_evidence(
    chosen: ChosenLayer,
    fragments: Fragments,
    marks: Marks,
    ids: Sequence[str],
    wanted: Wanted,
) -> LayerEvidence:
    """Return a sample of a layer's fragments, and the most distant of those with most marks.

    Parameters
    ----------
    chosen : ChosenLayer
        The layer.
    fragments : Fragments
        The fragments of n participants, m each.
    marks : Marks
        The marks, with the distances of all fragments, of shape (n, m).
    ids : sequence of str
        The n participants, in id order.
    wanted : Wanted
        The evidence to keep.
    """
    assert marks.distances is not None
    drawn = _drawn_as(chosen)
    by_marks = np.argsort(-marks.scores, kind="stable")
    shown = dict.fromkeys(by_marks[:_SHOWN_PARTICIPANTS].tolist())
    shown |= {index: None for index, name in enumerate(ids) if name in wanted.explained}
    k_est = marks.marked // fragments.cut.fragments
    median = median_of(marks.distances)
    space = _SHOWN_VALUES // (2 * len(shown) * _SHOWN_FRAGMENTS * wanted.layers)
    gathering = _Gathering(
        fragments=fragments,
        distances=marks.distances,
        ids=ids,
        less_marked=np.sort(by_marks[k_est:]),
        median=median,
        inputs=chosen.layer.shape[1] if chosen.fragment == "kernel" else None,
        values=max(drawn[1], space),
    )
    return LayerEvidence(
        layer=chosen.layer.name,
        shape=drawn,
        median_distance=median,
        most_distant={ids[index]: gathering.most_distant(index) for index in shown},
        plane=_plane(fragments, ids, wanted.layers),
    )


@dataclass(frozen=True)
class _Gathering:
    """The source of the fragments to show.

    Attributes
    ----------
    fragments : Fragments
        The fragments of n participants, m each.
    distances : float64 array of shape (n, m)
        The distances of all fragments.
    ids : sequence of str
        The n participants, in id order.
    less_marked : int array
        The indices of those who are not among the k_est most marked, in id order.
    median : float
        The median of all distances.
    inputs : int, optional
        The number of kernels of each output; None for other fragments.
    values : int
        The number of values of a fragment that are kept.
    """

    fragments: Fragments
    distances: Float64
    ids: Sequence[str]
    less_marked: npt.NDArray[np.intp]
    median: float
    inputs: int | None
    values: int

    def most_distant(self, participant: int) -> tuple[Fragment, ...]:
        """Return the fragments of largest distance of one participant, by (−distance, index)."""
        order = np.argsort(-self.distances[participant], kind="stable")[:_SHOWN_FRAGMENTS]
        rows = self.fragments.centred_at(order)[..., : self.values]
        return tuple(
            self._fragment(participant, int(index), rows[:, place])
            for place, index in enumerate(order)
        )

    def _fragment(self, participant: int, index: int, rows: Float64) -> Fragment:
        """Return one fragment; `rows` has fragment `index` of everybody, of shape (n, values)."""
        distances = self.distances[:, index]
        others = self.less_marked[self.less_marked != participant]
        if not len(others):
            # With a k_est of n − 1 there is nobody else.
            others = self.less_marked
        by_distance = others[np.argsort(distances[others], kind="stable")]
        typical = int(by_distance[(len(by_distance) - 1) // 2])
        distance = float(distances[participant])
        return Fragment(
            index=(index,) if self.inputs is None else divmod(index, self.inputs),
            distance=distance,
            times_median=distance / self.median if self.median > 0 else None,
            values=_short(rows[participant]),
            typical_id=self.ids[typical],
            typical_distance=float(distances[typical]),
            typical_values=_short(rows[typical]),
        )


def _drawn_as(chosen: ChosenLayer) -> tuple[int, int]:
    """Return the number of rows and of columns in a picture of one fragment."""
    shape = chosen.layer.shape
    if chosen.fragment == "kernel":
        return math.prod(shape[2:-1]), shape[-1]
    if chosen.fragment == "filter":
        return shape[1], math.prod(shape[2:])
    assert chosen.cut is not None
    columns = min(chosen.cut.dimension, _COLUMNS)
    return math.ceil(chosen.cut.dimension / columns), columns


def _plane(fragments: Fragments, ids: Sequence[str], layers: int) -> Plane | None:
    """Return sampled fragments along the first two principal components (Fig. 3c).

    The sample is evenly spaced in the order of fragments. The sign of a component makes its
    largest entry positive.
    """
    covariance, exponent = exact_covariance(fragments)
    eigenvalues, eigenvectors = np.linalg.eigh(covariance)
    variances = eigenvalues[::-1].clip(min=0)
    if len(variances) < 2 or variances[1] <= len(variances) * np.finfo(float).eps * variances[0]:
        return None
    components = eigenvectors[:, [-1, -2]]
    largest = components[np.abs(components).argmax(axis=0), [0, 1]]
    components = components * np.sign(largest)
    m = fragments.cut.fragments
    sampled = min(m, max(1, _SAMPLED_FRAGMENTS // (layers * fragments.participants)))
    indices = (2 * np.arange(sampled) + 1) * m // (2 * sampled)
    rows = np.ldexp(fragments.centred_at(indices), -exponent)
    points = np.round(rows @ components / math.sqrt(variances[0]), _POINT_DECIMALS)
    return Plane(
        explained=tuple((variances[:2] / variances.sum()).tolist()),
        fragments=tuple(indices.tolist()),
        points={
            name: tuple(own.reshape(-1).tolist()) for name, own in zip(ids, points, strict=True)
        },
    )


def _short(values: Float64) -> tuple[float, ...]:
    return tuple(float(f"{value:.{_VALUE_DIGITS}g}") for value in values.tolist())
