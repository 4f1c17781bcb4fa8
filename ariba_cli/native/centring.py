"""The subtraction of the mean over the participants, in an order that no machine changes."""

from typing import Any

import numpy as np
import numpy.typing as npt


def centre(block: npt.NDArray[np.floating]) -> None:
    """Subtract the mean over the participants, in place, from shape (n, any).

    The sum is a tree of additions of halves, which is the same on every machine: `sum` would
    choose its order by the block's shape and the processor. If all participants are equal,
    their differences are exactly zero, and not the rounding error of a mean.
    """
    sums = block[: (len(block) + 1) // 2].copy()
    add_halves(sums, block)
    block -= sums[0] / len(block)


def add_halves(sums: Any, rows: Any) -> None:
    """Add the second half of the rows to the first, repeatedly, until `sums[0]` is the sum of all.

    Parameters
    ----------
    sums : NumPy array or torch tensor of shape (⌈n/2⌉, any)
        A copy of the first half of the rows, the larger one if n is odd; it is changed.
    rows : NumPy array or torch tensor of shape (n, any)
        The rows.
    """
    count, half = len(rows), len(sums)
    sums[: count - half] += rows[half:]
    while half > 1:
        count, half = half, (half + 1) // 2
        sums[: count - half] += sums[half:count]
