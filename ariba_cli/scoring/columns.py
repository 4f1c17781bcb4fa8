"""What a coordinate says by the values that all participants have in it."""

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Values = npt.NDArray[np.floating]
Counts = npt.NDArray[np.int64]


def medians(values: Values) -> Float64:
    """Return the median of each column, from shape (n, columns) to shape (columns,).

    Of an even number it is the mean of the two in the middle, in float64.
    """
    n = len(values)
    # Rows that lie in one piece are sorted several times as fast; of one column they do so
    # already, and it is not ours to sort.
    columns = values.T.copy(order="C")
    columns.sort(axis=1)
    low, high = columns[:, (n - 1) // 2], columns[:, n // 2]
    middle: Float64 = low.astype(np.float64)
    if n % 2 == 0:
        middle += high
        middle /= 2
    return middle


def sign_agreement(updates: Float64) -> tuple[Counts, int]:
    """Count for each participant in how many columns it moves as the majority does.

    Parameters
    ----------
    updates : float64 array of shape (n, columns)
        The differences to the global model.

    Returns
    -------
    int64 array of shape (n,)
        In how many of the columns with a majority each has its sign.
    int
        How many columns have a majority: more move up than down, or the other way round.
    """
    up, down = updates > 0, updates < 0
    lead = up.sum(axis=0, dtype=np.int64) - down.sum(axis=0, dtype=np.int64)
    agrees = (up & (lead > 0)) | (down & (lead < 0))
    return agrees.sum(axis=1, dtype=np.int64), int(np.count_nonzero(lead))
