"""The dependence of the suspects on k_est and on each layer: distances stay, only counts change."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from ariba_cli.base.ids import id_order
from ariba_cli.verdicts.verdict import KEstStep, Stability

# Sums up to it are exact in int64, and larger ones are left to Python's integers.
_MOST_INT64 = 2**62


@dataclass(frozen=True)
class LayerCounts:
    """The marks of one layer for several k_est.

    Attributes
    ----------
    layer : str
        The name of the layer.
    fragments : int
        The number of fragments of each participant, m.
    ids : tuple of str
        The n scored participants, in id order.
    k_ests : int array of shape (k_ests,)
        These k_est, in ascending order.
    by_k_est : int array of shape (k_ests, n)
        S_i for each of them.
    """

    layer: str
    fragments: int
    ids: tuple[str, ...]
    k_ests: npt.NDArray[np.integer]
    by_k_est: npt.NDArray[np.integer]


class _Shares:
    """The mean shares of everybody in some layers, as integers over one denominator."""

    def __init__(self, layers: Sequence[LayerCounts]) -> None:
        self._layers = layers
        self._ids = sorted(set(chain.from_iterable(one.ids for one in layers)), key=id_order)
        place = {name: index for index, name in enumerate(self._ids)}
        self._places = [np.array([place[name] for name in one.ids]) for one in layers]
        scored = np.bincount(np.concatenate(self._places), minlength=len(self._ids))
        common = math.lcm(*set(scored.tolist()))
        self._fragments = math.lcm(*(one.fragments for one in layers))
        self._denominator = self._fragments * common
        self._exact = np.int64 if self._denominator * len(layers) < _MOST_INT64 else object
        self._weights = common // scored.astype(self._exact)

    def suspects(self, k_est: int) -> list[str]:
        """Return the k_est participants of highest mean share, by (−share, id)."""
        order = np.argsort(-self._numerators(k_est), kind="stable")
        return [self._ids[index] for index in order[:k_est]]

    def margin(self, k_est: int) -> float:
        """Return the excess of the k_est-th share over the next."""
        ordered = np.sort(self._numerators(k_est))[::-1]
        difference = int(ordered[k_est - 1]) - int(ordered[k_est])
        return float(Fraction(difference, self._denominator))

    def _numerators(self, k_est: int) -> npt.NDArray[Any]:
        numerators: npt.NDArray[Any] = np.zeros(len(self._ids), dtype=self._exact)
        for one, where in zip(self._layers, self._places, strict=True):
            scores = one.by_k_est[np.searchsorted(one.k_ests, k_est)].astype(self._exact)
            numerators[where] += scores * (self._fragments // one.fragments)
        numerators *= self._weights
        return numerators


def stability_of(
    layers: Sequence[LayerCounts], suspects: Sequence[str], k_est: int
) -> tuple[Stability, float]:
    """Find the changes of the suspects under other choices.

    Parameters
    ----------
    layers : sequence of LayerCounts
        The layers in which participants can be told apart; at least one.
    suspects : sequence of str
        The k_est participants of highest mean share over these layers.
    k_est : int
        The number k_est of suspected participants.

    Returns
    -------
    stability : Stability
        The changes by k_est and by layer.
    margin : float
        The excess of the k_est-th mean share over the next.
    """
    shares = _Shares(layers)
    found = Stability(
        steps=_steps(shares, reduce(np.intersect1d, (one.k_ests for one in layers)).tolist()),
        without_layer=_without_layer(layers, suspects, k_est),
    )
    return found, shares.margin(k_est)


def _steps(shares: _Shares, k_ests: Sequence[int]) -> tuple[KEstStep, ...]:
    steps = []
    before: list[str] = []
    for k_est in k_ests:
        now = shares.suspects(k_est)
        old, new = set(before), set(now)
        steps.append(
            KEstStep(
                k_est=k_est,
                enter=tuple(name for name in now if name not in old),
                leave=tuple(sorted(old - new, key=id_order)),
            )
        )
        before = now
    return tuple(steps)


def _without_layer(
    layers: Sequence[LayerCounts], suspects: Sequence[str], k_est: int
) -> dict[str, tuple[str, ...]]:
    if len(layers) == 1:
        return {}
    staying = {}
    for number, left_out in enumerate(layers):
        shares = _Shares([*layers[:number], *layers[number + 1 :]])
        still = set(shares.suspects(k_est))
        staying[left_out.layer] = tuple(name for name in suspects if name in still)
    return staying
