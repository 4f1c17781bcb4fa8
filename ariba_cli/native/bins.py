"""Squared distances counted in bins of float64 numbers with the same leading bits."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.native.library import Float64, kernels

Counts = npt.NDArray[np.int64]

# A bin is what float64 numbers have the same exponent and this many leading bits of, and so
# many bins make 32 octaves: what is beyond them shares the first or the last.
_LEADING_BITS = 13
BINS = 32 * 2**_LEADING_BITS
_DROPPED_BITS = 52 - _LEADING_BITS


@dataclass(frozen=True)
class Bins:
    """The bins up to a number.

    Attributes
    ----------
    first : int
        The number of the first of them among the bins of all numbers.
    """

    first: int

    @classmethod
    def up_to(cls, most: float) -> "Bins":
        """Return the bins of which the last contains this number."""
        return cls(int(np.float64(most).view(np.int64) >> _DROPPED_BITS) - (BINS - 1))

    def of(self, squared: Float64) -> Counts:
        """Return the bin of each number, which ascends with the numbers; none may be negative."""
        bins = squared.view(np.int64) >> _DROPPED_BITS
        bins -= self.first
        return np.clip(bins, 0, BINS - 1, out=bins)

    def count(self, squared: Float64, counts: Counts) -> None:
        """Add the number of values in each bin to the counts.

        Parameters
        ----------
        squared : C-contiguous float64 array of shape (any,)
            The values.
        counts : int64 array of shape (BINS,)
            The counts, which are changed.
        """
        compiled = kernels()
        if compiled is None:
            counts += np.bincount(self.of(squared), minlength=BINS)
            return
        compiled.count(squared.ctypes, squared.size, self.first, _DROPPED_BITS, BINS, counts.ctypes)

    def take(
        self, squared: Float64, parts: npt.NDArray[np.int32], counts: Counts
    ) -> npt.NDArray[np.int64]:
        """Count values by the parts that their bins belong to.

        Parameters
        ----------
        squared : C-contiguous float64 array of shape (any,)
            The values.
        parts : int32 array of shape (BINS,)
            The part of each bin.
        counts : int64 array of shape (parts,)
            The counts, which are changed.

        Returns
        -------
        int64 array of shape (any,)
            The indices of the values in odd parts.
        """
        compiled = kernels()
        if compiled is None:
            part = parts[self.of(squared)]
            counts += np.bincount(part, minlength=len(counts))
            return np.flatnonzero(part & 1)
        places = np.empty(squared.size, np.int64)
        found = compiled.take(
            squared.ctypes,
            squared.size,
            self.first,
            _DROPPED_BITS,
            BINS,
            parts.ctypes,
            counts.ctypes,
            places.ctypes,
        )
        return places[:found].copy()
