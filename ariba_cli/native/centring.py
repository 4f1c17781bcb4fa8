"""The mean over the participants, taken away in an order that is the same on every machine."""

from typing import Any

import numpy as np
import numpy.typing as npt


def centre(block: npt.NDArray[np.floating]) -> None:
    """Take away the mean over the participants, in place, from shape (n, any).

    The sum is a tree of additions of halves, which is the same on every machine: `sum` would
    choose its order by the block's shape and the processor. Where all participants
    are equal, what is left of their differences is zero and not the rounding of a mean.
    """
    sums = block[: (len(block) + 1) // 2].copy()
    add_halves(sums, block)
    block -= sums[0] / len(block)


def add_halves(sums: Any, rows: Any) -> None:
    """Add the other half of the rows to the first, and so on until `sums[0]` is the sum of all.

    Parameters
    ----------
    sums : a copy of the first half of the rows, the larger one where their number is odd; both
        arrays of NumPy, or tensors of torch.
    """
    count, half = len(rows), len(sums)
    sums[: count - half] += rows[half:]
    while half > 1:
        count, half = half, (half + 1) // 2
        sums[: count - half] += sums[half:count]
