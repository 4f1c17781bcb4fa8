"""The NumPy engine: passes over blocks of fragments that stay in the processor's cache."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ariba_cli.fragments import Fragments
from ariba_cli.scoring.marks import Marks, can_tell_apart, mark_most_distant, nobody_marked
from ariba_cli.scoring.moments import Moments, exponents_of
from ariba_cli.scoring.whitening import Whitening, whitening

Float64 = npt.NDArray[np.float64]

# Values in a block: 256 KiB of float64, which with its temporaries fits a 1 MiB L2 cache.
# Whatever is as large as a block is allocated once: the kernel clears new pages, and
# takes longer for it than the arithmetic does.
_BLOCK_VALUES = 2**15


def score(fragments: Fragments, k_est: int) -> Marks:
    """Mark the k̃·m most distant fragments (Algorithm 2, Eq. 7); see `Scorer`."""
    cut = fragments.cut
    exponents = exponents_of(_magnitudes(fragments))
    # Powers of two change no digit, and keep squares from overflowing.
    exponent = int(exponents.max())
    moments = Moments(exponents)
    for _, block in _blocks(fragments, least_rows=cut.dimension):
        moments.add(block.reshape(-1, cut.dimension))
    factored = whitening(moments.sums(exponent) / fragments.total)
    if not can_tell_apart(factored.rank, fragments.participants, cut.fragments):
        return nobody_marked(fragments.participants, factored.rank)
    distances = _distances(fragments, exponent, factored)
    return mark_most_distant(distances, k_est * cut.fragments, factored.rank)


def _blocks(fragments: Fragments, *, least_rows: int = 1) -> Iterator[tuple[slice, Float64]]:
    """Runs of fragments of all participants, and their δ̂ of shape (n, run, d).

    The next block takes the place of the one before.
    """
    per_fragment = fragments.participants * fragments.cut.dimension
    run = max(_BLOCK_VALUES // per_fragment, math.ceil(least_rows / fragments.participants))
    run = min(run, fragments.cut.fragments)
    buffer = np.empty(run * per_fragment)
    for start in range(0, fragments.cut.fragments, run):
        stop = min(start + run, fragments.cut.fragments)
        yield slice(start, stop), fragments.centred(start, stop, buffer)


def _magnitudes(fragments: Fragments) -> Float64:
    """The largest |δ̂| in each of the d coordinates."""
    largest = np.zeros(fragments.cut.dimension)
    for _, block in _blocks(fragments):
        np.abs(block, out=block)
        np.maximum(largest, block.max(axis=(0, 1)), out=largest)
    return largest


def _distances(fragments: Fragments, exponent: int, factored: Whitening) -> Float64:
    """The distance of every fragment, of shape (n, m); Σ is that of fragments · 2^−exponent."""
    distances = np.empty((fragments.participants, fragments.cut.fragments))
    for run, block in _blocks(fragments):
        np.ldexp(block, -exponent, out=block)
        found = factored.distances(block.reshape(-1, fragments.cut.dimension))
        distances[:, run] = found.reshape(fragments.participants, -1)
    return distances
