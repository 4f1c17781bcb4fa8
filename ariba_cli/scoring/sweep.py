"""A pass over all fragments in float64, block by block and on all cores."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ariba_cli.base.parallel import map_workers, one_blas_thread
from ariba_cli.updates.fragments import Fragments, blocks, centred

Float64 = npt.NDArray[np.float64]
Result = TypeVar("Result")

# Values in a block: with its temporaries it fits a cache of 1 MiB. Of wide fragments there are
# more, so that what is done with d² numbers for each block does not outweigh the rest.
_BLOCK_VALUES = 2**15
_WIDE_BLOCK_VALUES = 2**21


def sweep(
    fragments: Fragments, work: Callable[[Iterator[tuple[int, Float64]]], Result]
) -> list[Result]:
    """Return the result of each worker for the blocks that it takes.

    Parameters
    ----------
    fragments : Fragments
        The fragments of n participants.
    work : callable
        The function that is called with blocks of δ̂ of shape (n, run, d), each with the index of
        its first fragment. The next block takes the place of the one before.
    """
    d = fragments.cut.dimension
    size = max(_BLOCK_VALUES, min(_WIDE_BLOCK_VALUES, 4 * d * d))
    results = []
    with one_blas_thread():
        for first, values in fragments.chunks():
            columns = blocks(values, d, size)
            most = len(values) * (columns[0].stop - columns[0].start)

            def take(
                taken: Iterator[slice],
                first: int = first,
                values: npt.NDArray[np.floating] = values,
                most: int = most,
            ) -> Result:
                buffer = np.empty(most)
                return work(
                    (
                        first + one.start // d,
                        centred(values[:, one], fragments.reference, d, buffer),
                    )
                    for one in taken
                )

            results += map_workers(take, columns)
    return results
