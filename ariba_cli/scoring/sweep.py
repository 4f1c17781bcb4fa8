"""The fragments of a chunk in float64, block by block and on all cores."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ariba_cli.base.parallel import map_workers, one_blas_thread
from ariba_cli.updates.chunks import Chunk, blocks, centred

Float64 = npt.NDArray[np.float64]
Result = TypeVar("Result")

# Values in a block: with its temporaries it fits a cache of 1 MiB. Of wide fragments there are
# more, so that what is done with d² numbers for each block does not outweigh the rest.
_BLOCK_VALUES = 2**15
_WIDE_BLOCK_VALUES = 2**21


def sweep(chunk: Chunk, work: Callable[[Iterator[tuple[int, Float64]]], Result]) -> list[Result]:
    """Return the result of each worker for the blocks that it takes.

    Parameters
    ----------
    chunk : Chunk
        The fragments of n participants.
    work : callable
        The function that is called with blocks of δ̂ of shape (n, run, d), each with the index of
        its first fragment in the chunk. The next block takes the place of the one before.
    """
    values, d = chunk.values, chunk.dimension
    columns = blocks(values, d, max(_BLOCK_VALUES, min(_WIDE_BLOCK_VALUES, 4 * d * d)))
    most = len(values) * (columns[0].stop - columns[0].start)

    def take(taken: Iterator[slice]) -> Result:
        buffer = np.empty(most)
        return work(
            (one.start // d, centred(values[:, one], chunk.reference, d, buffer)) for one in taken
        )

    with one_blas_thread():
        return map_workers(take, columns)
