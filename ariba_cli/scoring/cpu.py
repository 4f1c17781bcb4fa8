"""The arithmetic over all fragments in NumPy: blocks that stay in cache, on all cores."""

from collections.abc import Iterator

import numpy as np

from ariba_cli.base.parallel import map_workers, one_blas_thread
from ariba_cli.native.compensated import Compensated
from ariba_cli.scoring.processor import (
    ROWS_PER_SUM,
    Float64,
    Sums,
    Values,
    join_sums,
)
from ariba_cli.updates.fragments import blocks, centre, subtract_reference

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
            for _, rows in _differences(values, reference, columns):
                squares += np.einsum("ij,ij->i", rows, rows)
                centre(rows)
                product, roundings = _products(rows.reshape(-1, dimension))
                products.add(product)
                additions = max(additions, roundings)
            return Sums(products.total, squares, additions)

        with one_blas_thread():
            return join_sums(map_workers(work, blocks(values, dimension, _BLOCK_VALUES)))

    def squared(self, values: Values, reference: int, whitening: Float64, out: Float64) -> None:
        """See `Processor`."""
        rank, dimension = whitening.shape

        def work(columns: Iterator[slice]) -> None:
            buffer = np.empty(0)
            for start, rows in _differences(values, reference, columns):
                centre(rows)
                fragments = rows.reshape(-1, dimension)
                if buffer.size < rank * len(fragments):
                    buffer = np.empty(rank * len(fragments))
                white = buffer[: rank * len(fragments)].reshape(rank, -1)
                np.matmul(whitening, fragments.T, out=white)
                np.multiply(white, white, out=white)
                squared = np.add.reduce(white, axis=0).reshape(len(values), -1)
                first = start // dimension
                out[:, first : first + squared.shape[1]] = squared

        with one_blas_thread():
            map_workers(work, blocks(values, dimension, _BLOCK_VALUES))


def _differences(
    values: Values, reference: int, columns: Iterator[slice]
) -> Iterator[tuple[int, Float64]]:
    """The differences in float64 in blocks of columns, with the first column of each.

    The next block takes the place of the one before: the kernel clears new pages, and takes
    longer for it than the arithmetic does.
    """
    buffer = np.empty(0)
    for one in columns:
        part = values[:, one]
        if buffer.size < part.size:
            buffer = np.empty(part.size)
        rows = buffer[: part.size].reshape(part.shape)
        subtract_reference(part, reference, rows)
        yield one.start, rows


def _products(rows: Values) -> tuple[Float64, int]:
    """Σ x·xᵀ over rows x, and by how many roundings it may be off; see `Sums`."""
    whole = len(rows) // ROWS_PER_SUM
    batches = rows[: whole * ROWS_PER_SUM].reshape(whole, ROWS_PER_SUM, rows.shape[1])
    rest = rows[whole * ROWS_PER_SUM :]
    products: Float64 = rest.T @ rest
    products += np.matmul(batches.transpose(0, 2, 1), batches).sum(axis=0)
    return products, ROWS_PER_SUM + whole + 1
