"""The arithmetic over all fragments in NumPy: blocks that stay in cache, on all cores."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ariba_cli.fragments import blocks, centre, differences
from ariba_cli.parallel import one_blas_thread, shared_out
from ariba_cli.scoring.compensated import Compensated
from ariba_cli.scoring.processor import (
    ROWS_PER_SUM,
    Band,
    Float64,
    Place,
    Sorted,
    Sums,
    Values,
    join_sorted,
    join_sums,
)

# Values in a block: few enough for the cache, and enough for the arithmetic to take much
# longer than the calls of NumPy.
_BLOCK_VALUES = 2**18


class Cpu:
    """See `Processor`."""

    name = "cpu"

    def sums(self, values: Values, reference: int, dimension: int) -> Sums:
        """See `Processor`."""

        def work(columns: Iterator[slice]) -> Sums:
            products = Compensated((dimension, dimension))
            squares = np.zeros(len(values))
            additions = 0
            for _, rows in _differences(values, reference, columns, np.dtype(np.float64)):
                squares += np.einsum("ij,ij->i", rows, rows)
                centre(rows)
                product, roundings = _products(rows.reshape(-1, dimension))
                products.add(product)
                additions = max(additions, roundings)
            return Sums(products.total, squares, additions)

        with one_blas_thread():
            return join_sums(shared_out(work, blocks(values, dimension, _BLOCK_VALUES)))

    def sort(
        self, values: Values, reference: int, whitening: Values, band: Band, place: Place
    ) -> Sorted:
        """See `Processor`."""
        rank, dimension = whitening.shape
        low, high = whitening.dtype.type(band.low), whitening.dtype.type(band.high)

        def work(columns: Iterator[slice]) -> list[Sorted]:
            found = []
            room = np.empty(0, whitening.dtype)
            for start, rows in _differences(values, reference, columns, whitening.dtype):
                centre(rows)
                fragments = rows.reshape(-1, dimension)
                if room.size < rank * len(fragments):
                    room = np.empty(rank * len(fragments), whitening.dtype)
                white = room[: rank * len(fragments)].reshape(rank, -1)
                np.matmul(whitening, fragments.T, out=white)
                np.multiply(white, white, out=white)
                squared = np.add.reduce(white, axis=0).reshape(len(values), -1)
                here = Place(place.first + start // dimension, place.fragments)
                found.append(_sorted(squared, low, high, here))
            return found

        with one_blas_thread():
            found = shared_out(work, blocks(values, dimension, _BLOCK_VALUES))
        return join_sorted([part for parts in found for part in parts])


def _differences(
    values: Values, reference: int, columns: Iterator[slice], dtype: np.dtype[np.floating]
) -> Iterator[tuple[int, npt.NDArray[np.floating]]]:
    """The differences in blocks of columns, with the first column of each.

    The next block takes the place of the one before: the kernel clears new pages, and takes
    longer for it than the arithmetic does.
    """
    room = np.empty(0, dtype)
    for one in columns:
        part = values[:, one]
        if room.size < part.size:
            room = np.empty(part.size, dtype)
        rows = room[: part.size].reshape(part.shape)
        differences(part, reference, rows)
        yield one.start, rows


def _products(rows: Values) -> tuple[Float64, int]:
    """Σ x·xᵀ over rows x, and by how many roundings it may be off; see `Sums`."""
    whole = len(rows) // ROWS_PER_SUM
    batches = rows[: whole * ROWS_PER_SUM].reshape(whole, ROWS_PER_SUM, rows.shape[1])
    rest = rows[whole * ROWS_PER_SUM :]
    products: Float64 = rest.T @ rest
    products += np.matmul(batches.transpose(0, 2, 1), batches).sum(axis=0)
    return products, ROWS_PER_SUM + whole + 1


def _sorted(squared: Values, low: np.floating, high: np.floating, place: Place) -> Sorted:
    """Sort the fragments of a block, of shape (n, run)."""
    inside = np.flatnonzero((squared >= low) & (squared <= high))
    participants, fragments = np.divmod(inside, squared.shape[1])
    return Sorted(
        np.count_nonzero(squared > high, axis=1),
        participants * place.fragments + fragments + place.first,
        squared.reshape(-1)[inside],
        float(squared.max()),
    )
