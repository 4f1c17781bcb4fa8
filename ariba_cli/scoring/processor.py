"""The operations over many fragments at once that an engine needs of any processor.

None of them has to be exact: their results tell which few fragments have to be looked
at closely, and each method promises a bound on its error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ariba_cli.native.compensated import Compensated

Float64 = npt.NDArray[np.float64]
Values = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Sums:
    """The sums over all fragments of some chunks.

    Attributes
    ----------
    products : float64 array of shape (d, d)
        Σ x·xᵀ over the fragments x of every δ̂_i.
    squares : float64 array of shape (n,)
        Σ (θ_i − θ_r)² over the values of each participant, where r is the reference.
    additions : int
        The largest number of roundings of Σ |x_a·x_b| by which the products may be off.
    """

    products: Float64
    squares: Float64
    additions: int

    @property
    def from_reference(self) -> Float64:
        """The l2 distance of each participant from the reference, of shape (n,)."""
        distances: Float64 = np.sqrt(self.squares)
        return distances


class Processor(Protocol):
    """The device that does the arithmetic over all fragments.

    Attributes
    ----------
    name : str
        The name of the device.
    """

    name: str

    def sums(self, values: Values, reference: int, dimension: int) -> Sums:
        """Return the sums over a chunk of shape (n, run·d), in float64."""
        ...

    def squared(self, values: Values, reference: int, whitening: Float64, out: Float64) -> float:
        """Write ‖W·x‖² of the fragments of a chunk to `out`, of shape (n, run), in float64.

        Returns
        -------
        float
            The largest of them.
        """
        ...


def join_sums(parts: Sequence[Sums]) -> Sums:
    """Return the sums of several chunks or workers together."""
    products = Compensated(parts[0].products.shape)
    for part in parts:
        products.add(part.products)
    squares = np.sum([part.squares for part in parts], axis=0)
    return Sums(products.total, squares, max(part.additions for part in parts) + 1)
