"""Medians, sign majorities and sums of squares over columns, which hold one coordinate each."""

import ctypes
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ariba_cli.native.library import Float64, Rows, Values, kernels, scratch
from ariba_cli.native.products import BLOCK_COLUMNS

Counts = npt.NDArray[np.int64]
Pairs = npt.NDArray[np.uint16]

# Of more participants each column is sorted by itself.
_MOST_COMPARED = 256
_LANE_BYTES = 64


def medians(values: Values) -> Float64:
    """Return the median of each column, from shape (n, columns) to shape (columns,).

    For an even n, it is the mean of the two values in the middle, in float64.
    """
    n, columns = values.shape
    compiled, rows = kernels(), Rows(values).for_kernels()
    if compiled is not None and rows is not None and 0 < n <= _MOST_COMPARED:
        pairs, found = _comparisons(n), np.empty(columns)
        compiled.medians(
            ctypes.byref(rows),
            n,
            columns,
            pairs.ctypes,
            len(pairs),
            scratch(n * _LANE_BYTES // 8)[0].ctypes,
            found.ctypes,
        )
        return found
    # Rows that lie in one piece are sorted several times as fast; of one column they do so
    # already, and it is not ours to sort.
    ordered = values.T.copy(order="C")
    ordered.sort(axis=1)
    low, high = ordered[:, (n - 1) // 2], ordered[:, n // 2]
    middle: Float64 = low.astype(np.float64)
    if n % 2 == 0:
        middle += high
        middle /= 2
    # Of zeros of both signs any may be in the middle.
    middle += 0.0
    return middle


@lru_cache(maxsize=8)
def _comparisons(n: int) -> Pairs:
    """Return the pairs of n numbers to put in order, one after the other, to find the median.

    Batcher's odd-even merging network (Knuth, The Art of Computer Programming, vol. 3, Sec. 5.2.2,
    Algorithm M), without the comparisons that the median does not depend on.
    """
    pairs: list[tuple[int, int]] = []
    top = 1 << max(0, (n - 1).bit_length() - 1)
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while True:
            pairs += [(i, i + d) for i in range(n - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2
    wanted, kept = {(n - 1) // 2, n // 2}, []
    for pair in reversed(pairs):
        if not wanted.isdisjoint(pair):
            wanted.update(pair)
            kept.append(pair)
    return np.array(kept[::-1], np.uint16).reshape(-1, 2)


def sign_agreement(rows: Rows) -> tuple[Counts, int]:
    """Count for each participant the columns in which it moves in the direction of the majority.

    Parameters
    ----------
    rows : Rows
        The updates: their origin is the global model.

    Returns
    -------
    int64 array of shape (n,)
        The number of columns with a majority in which each participant has its sign.
    int
        The number of columns with a majority: more move up than down, or the other way round.
    """
    n, columns = rows.values.shape
    agreement, with_majority = np.zeros(n, dtype=np.int64), 0
    compiled, taken = kernels(), rows.for_kernels()
    if compiled is not None and taken is not None:
        lead, row = np.empty(BLOCK_COLUMNS, np.int32), scratch(BLOCK_COLUMNS)[0]
        with_majority = compiled.signs(
            ctypes.byref(taken),
            n,
            columns,
            lead.ctypes,
            row.ctypes,
            agreement.ctypes,
        )
        return agreement, with_majority
    for start in range(0, columns, BLOCK_COLUMNS):
        updates = rows.columns(slice(start, start + BLOCK_COLUMNS)).differences()
        up, down = updates > 0, updates < 0
        ahead = up.sum(axis=0, dtype=np.int64) - down.sum(axis=0, dtype=np.int64)
        agrees = (up & (ahead > 0)) | (down & (ahead < 0))
        agreement += agrees.sum(axis=1, dtype=np.int64)
        with_majority += int(np.count_nonzero(ahead))
    return agreement, with_majority


def run_squares(rows: Rows, starts: Counts) -> Float64:
    """Add up the squares of a block's differences by runs of columns.

    Parameters
    ----------
    rows : Rows
        The block, of at most `BLOCK_COLUMNS` columns.
    starts : int64 array of shape (runs,)
        The first column of each run, in ascending order from 0; each run ends before the next.

    Returns
    -------
    float64 array of shape (n, runs)
        The sums.
    """
    n, columns = rows.values.shape
    compiled, taken = kernels(), rows.for_kernels()
    if compiled is None or taken is None:
        squares: Float64 = np.add.reduceat(np.square(rows.differences()), starts, axis=1)
        return squares
    ends, found = np.append(starts, columns), np.empty((n, len(starts)))
    compiled.squares(
        ctypes.byref(taken),
        n,
        ends.ctypes,
        len(starts),
        scratch(BLOCK_COLUMNS)[0].ctypes,
        found.ctypes,
    )
    return found
