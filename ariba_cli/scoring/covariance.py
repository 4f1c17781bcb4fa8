"""The covariance of all fragments: quickly with a bound on its error, or exactly."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

from ariba_cli.native.distances import ROWS_PER_SUM
from ariba_cli.scoring.moments import Moments, exponents_of, joined
from ariba_cli.scoring.processor import Float64, Processor, Sums, join_sums
from ariba_cli.scoring.sweep import sweep
from ariba_cli.scoring.whitening import EPS, Whitening, whitening
from ariba_cli.updates.chunks import Chunk
from ariba_cli.updates.fragments import Fragments

# So many cuts in doubt are expected where a quick covariance is not even tried.
_HOPELESS = 3.0
# Squares of differences that are far from what float64 can hold.
_LEAST_SQUARE, _MOST_SQUARE = 1e-200, 1e200


@dataclass(frozen=True)
class QuickSums:
    """The task of finding the sums of a chunk quickly; see `Processor.sums`."""

    processor: Processor
    dimension: int

    def __call__(self, chunk: Chunk) -> Sums:
        """Return them."""
        return self.processor.sums(chunk.values, chunk.reference, self.dimension)


@dataclass(frozen=True)
class LargestMagnitudes:
    """The task of finding the largest |x| of each coordinate."""

    def __call__(self, chunk: Chunk) -> Float64:
        """Return them, of shape (d,)."""

        def largest(blocks: Iterator[tuple[int, Float64]]) -> Float64:
            found = np.zeros(chunk.dimension)
            for _, block in blocks:
                np.abs(block, out=block)
                np.maximum(found, block.max(axis=(0, 1)), out=found)
            return found

        return reduce(np.maximum, sweep(chunk, largest))


@dataclass(frozen=True)
class ExactMoments:
    """The task of adding up the products of a chunk exactly; see `Moments`."""

    exponents: npt.NDArray[np.intc]

    def __call__(self, chunk: Chunk) -> Moments:
        """Return their sums."""

        def added(blocks: Iterator[tuple[int, Float64]]) -> Moments:
            moments = Moments(self.exponents)
            for _, block in blocks:
                moments.add(block.reshape(-1, chunk.dimension))
            return moments

        return joined(self.exponents, sweep(chunk, added))


def quick_sums(fragments: Fragments, processor: Processor) -> Sums:
    """Return the second moments of all fragments, found in one pass; see `uncertainty`."""
    return _sums(fragments, processor, fragments.cut.dimension)


def distances_from_reference(fragments: Fragments, processor: Processor) -> Float64:
    """Return the l2 distance of each participant from the reference; see `Sums.from_reference`."""
    return _sums(fragments, processor, 1).from_reference


def _sums(fragments: Fragments, processor: Processor, dimension: int) -> Sums:
    return join_sums(list(fragments.map(QuickSums(processor, dimension))))


def uncertainty(additions: int, factored: Whitening, largest: float) -> float:
    """Return the largest relative difference between quick and exact distances.

    A quick distance is one under a quick covariance. Both covariances are sums over the same
    float64 numbers. The quick one is off in each entry by as many
    roundings of √(Σ_aa·Σ_bb) as `Sums.additions` says. The exact one rounds its summands
    to 54 bits, which makes R roundings, where R is the largest coordinate by its standard
    deviation, and no larger than the largest distance. Factoring takes d + 1 (Higham,
    Accuracy and Stability of Numerical Algorithms, Theorem 10.3), and the few
    steps between them 20 at most. An error of ε·√(Σ_aa·Σ_bb) in each entry changes xᵀΣ⁻¹x by
    the share d·ε·τ (`Whitening.sensitivity`), and the distance by half of it; the triangular
    solves of both take d·√(d·τ) roundings each. All is doubled to cover second-order terms.

    The result is infinite when the covariance is so near a singular one that its rank is in doubt.
    """
    d, tau, unit = len(factored.variances), factored.sensitivity, EPS / 2
    least, most = factored.variances.min(), factored.variances.max()
    if factored.rank < d or least < _LEAST_SQUARE or most > _MOST_SQUARE:
        return float("inf")
    share = d * unit * (additions + 2 * (d + 1) + 20 + largest) * tau
    # What is left of a variance once others are known is at least its τth part.
    if share > 0.1 or least <= 4 * tau * d * EPS * most:
        return float("inf")
    return float(share + 4 * unit * d * (d * tau) ** 0.5)


def settles_nothing(fragments: Fragments, cuts: int) -> bool:
    """Return whether a quick covariance would leave some cut in doubt, whatever the values are.

    τ is at least d. The N distances are spread over about 1/√(2d) of themselves, as roots of χ²
    are, so that neighbours at a cut are about 1/(N·√(2d)) apart. The chance that none of
    several cuts is in doubt falls exponentially with the expected number of doubtful ones.
    """
    d = fragments.cut.dimension
    share = d * d * (EPS / 2) * (ROWS_PER_SUM + 2 * (d + 1))
    in_doubt: float = cuts * share * fragments.total * (2 * d) ** 0.5
    return in_doubt > _HOPELESS


def exactly_whitened(fragments: Fragments) -> Whitening:
    """Factor the covariance, which is the same on all machines to the last bit."""
    return whitening(*exact_covariance(fragments))


def exact_covariance(fragments: Fragments) -> tuple[Float64, int]:
    """Return the covariance Σ, the same on all machines to the last bit; see `Moments`.

    Returns
    -------
    covariance : float64 array of shape (d, d)
        The covariance of the fragments times 2^−e.
    exponent : int
        The exponent e.
    """
    exponents = exponents_of(reduce(np.maximum, fragments.map(LargestMagnitudes())))
    moments = joined(exponents, fragments.map(ExactMoments(exponents)))
    # Powers of two change no digit, and keep squares from overflowing.
    exponent = int(exponents.max())
    return moments.sums(exponent) / fragments.total, exponent
