"""The arithmetic over all fragments on CPUs: blocks that stay in cache, on all cores."""

import numpy as np

from ariba_cli.base.parallel import one_blas_thread, thread_map
from ariba_cli.native.distances import second_moments, squared_distances
from ariba_cli.native.library import Rows
from ariba_cli.scoring.processor import Float64, Sums, Values, join_sums
from ariba_cli.updates.chunks import blocks

# Values in a block: few enough for the cache, and enough for the arithmetic to take much
# longer than the calls of NumPy.
_BLOCK_VALUES = 2**18
# Fragments of each participant in a block, however many participants there are: fewer leave most
# lanes of a vector unused, and what is read of a row is then shorter than what it takes to find it.
_FEWEST = 64


class Cpu:
    """A processor that works on the cores of the CPU; see `Processor`."""

    name = "cpu"

    def sums(self, values: Values, reference: int, dimension: int) -> Sums:
        """See `Processor`."""
        rows = Rows(values, values[reference].astype(np.float64))

        def work(columns: slice) -> Sums:
            return Sums(*second_moments(rows.columns(columns), dimension))

        with one_blas_thread():
            return join_sums(
                list(thread_map(work, blocks(values, dimension, _BLOCK_VALUES, _FEWEST)))
            )

    def squared(self, values: Values, reference: int, whitening: Float64, out: Float64) -> float:
        """See `Processor`."""
        rows = Rows(values, values[reference].astype(np.float64))
        dimension = whitening.shape[1]

        def work(columns: slice) -> float:
            part = slice(columns.start // dimension, columns.stop // dimension)
            return squared_distances(rows.columns(columns), whitening, out[:, part])

        with one_blas_thread():
            return max(thread_map(work, blocks(values, dimension, _BLOCK_VALUES, _FEWEST)))
