"""The statistics of a layer's updates, gathered in one pass over blocks of all participants.

Sums do not depend on the machine, the number of threads, or how much is read at a time: blocks
lie at fixed places, their products are exact (`native.products`), and are added in their order.
Of many participants, whose n² inner products would take long, each update is first folded into
a sketch of fixed length with random signs, which keeps inner products on average (Charikar,
Chen and Farach-Colton, "Finding frequent items in data streams", 2002).
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.base.parallel import one_blas_thread, thread_map
from ariba_cli.native.columns import Counts, medians, run_squares, sign_agreement
from ariba_cli.native.compensated import Compensated
from ariba_cli.native.library import Rows
from ariba_cli.native.products import BLOCK_COLUMNS, Products, exact_square
from ariba_cli.native.sides import Side
from ariba_cli.scoring.update_statistics import Float64, Statistic, UpdateStatistics
from ariba_cli.updates.chunks import Chunk
from ariba_cli.updates.fragments import Fragments, TensorValues

Values = npt.NDArray[np.floating]

# Of up to so many participants all inner products are exact; of more they come from sketches.
MOST_EXACT = 256
# The length of a sketch: an inner product is off by ‖x‖·‖y‖/64, one standard deviation.
SKETCH_COLUMNS = 2**12
# So many values of a layer tell how an update falls on its inputs and outputs.
_SIDE_VALUES = 2**18

# What one thread takes at a time, and what is added up before more is started.
_TILE_COLUMNS = 8 * BLOCK_COLUMNS
_GROUP_COLUMNS = 32 * _TILE_COLUMNS


@dataclass(frozen=True)
class Gathered:
    """The values gathered from one layer.

    Attributes
    ----------
    statistics : UpdateStatistics
        The statistics of the layer's n updates.
    row_squares : float64 array of shape (n, rows)
        ‖row of δ_i‖² for each row of a weight matrix; without rows unless they were asked for.
    sum_squares : float64 array of shape (n,)
        ‖Σ of all rows of δ_i‖²; zero unless rows were asked for.
    by_side : tuple of float64 arrays of shape (n, parts)
        ‖part of δ_i‖² for each part of each side that was asked for. A large layer is sampled in
        blocks of values at even distances.
    """

    statistics: UpdateStatistics
    row_squares: Float64
    sum_squares: Float64
    by_side: tuple[Float64, ...]


@dataclass(frozen=True)
class Origin:
    """The point from which updates are counted.

    Attributes
    ----------
    global_values : TensorValues, optional
        The values of θ^t, where there is a global model.
    updates_are_deltas : bool
        True if participants sent θ_i − θ^t and not θ_i.
    """

    global_values: TensorValues | None = None
    updates_are_deltas: bool = False

    @property
    def is_global(self) -> bool:
        """True if updates are differences from the global model."""
        return self.updates_are_deltas or self.global_values is not None


def gather(
    fragments: Fragments,
    origin: Origin,
    wanted: Collection[Statistic],
    *,
    rows: int = 0,
    sides: Sequence[Side] = (),
) -> Gathered:
    """Gather the statistics of one layer.

    Parameters
    ----------
    fragments : Fragments
        The values of n participants, in fragments of one value.
    origin : Origin
        The point from which updates are counted. Without a global model it is the reference of
        the fragments.
    wanted : collection of Statistic
        The statistics to gather in addition to the Gram matrix.
    rows : int, optional
        The number of rows of the weight matrix, if the squares of its rows are wanted.
    sides : sequence of Side, optional
        The places of the layer's inputs and outputs, if their squares are wanted.
    """
    gathering = _Gathering(fragments, origin, frozenset(wanted), rows, tuple(sides))
    if fragments.elsewhere is not None and gathering.can_be_spread:
        for found in fragments.map(gathering.tiles, multiple=_TILE_COLUMNS):
            gathering.add(found)
        return gathering.result()
    with one_blas_thread():
        for first, values in fragments.chunks(multiple=_TILE_COLUMNS):
            for start in range(0, values.shape[1], _GROUP_COLUMNS):
                part = values[:, start : start + _GROUP_COLUMNS]
                gathering.take(Chunk(part, first + start, 1, fragments.reference))
        return gathering.result()


@dataclass(frozen=True)
class _Tile:
    """The statistics that one thread found in a few blocks."""

    gram: Float64 | None
    agreement: Counts
    with_majority: int
    # The first row that is meant, and the squares of as many as there are.
    rows: list[tuple[int, Float64]]
    by_side: tuple[Float64, ...]


@dataclass(frozen=True)
class Tiles:
    """The task of finding the statistics of a chunk, a few blocks at a time.

    Attributes
    ----------
    origin : Origin
        The point from which updates are counted.
    median, signs : bool
        True if the median, and the agreement with the majority of signs, are wanted.
    row_values : int
        The number of values in a row whose squares are wanted; 0 if none are.
    sides : tuple of Side
        The places of the layer's inputs and outputs, if their squares are wanted.
    every : int
        Of so many blocks one is asked how it falls on them: of a small layer every one.
    sketch : _Sketch, optional
        The sketch to add to in the place of inner products.
    """

    origin: Origin
    median: bool
    signs: bool
    row_values: int
    sides: tuple[Side, ...]
    every: int
    sketch: "_Sketch | None"

    def __call__(self, chunk: Chunk) -> list[_Tile]:
        """Return the statistics of each tile, in their order."""
        values, known = chunk.values, self.known(chunk)
        updates = Rows(values, self.counted_from(chunk, known))

        def work(column: int) -> _Tile:
            tile = slice(column, column + _TILE_COLUMNS)
            return self._tile(
                updates.columns(tile), None if known is None else known[tile], chunk.first + column
            )

        # A sketch is added to by one tile after the other.
        mapped = thread_map if self.sketch is None else map
        with one_blas_thread():
            return list(mapped(work, range(0, values.shape[1], _TILE_COLUMNS)))

    def known(self, chunk: Chunk) -> Float64 | None:
        """Return the values of the global model; None where there is none."""
        start = self.origin.global_values
        if start is None:
            return None
        found: Float64 = start[chunk.first : chunk.first + chunk.fragments].astype(np.float64)
        return found

    def counted_from(self, chunk: Chunk, known: Float64 | None) -> Float64 | None:
        """Return the point to subtract from the values; None where they are updates already."""
        if self.origin.updates_are_deltas:
            return None
        if known is not None:
            return known
        reference: Float64 = chunk.values[chunk.reference].astype(np.float64)
        return reference

    def no_sides(self, n: int) -> tuple[Float64, ...]:
        """Return room for the sums by the parts of each side."""
        return tuple(np.zeros((n, side.parts)) for side in self.sides)

    def _tile(self, updates: Rows, known: Float64 | None, first: int) -> _Tile:
        more, n = self._more_rows(updates, known), len(updates.values)
        gram = Products(n + len(more)).of(updates, *more) if self.sketch is None else None
        agreement, with_majority = np.zeros(n, dtype=np.int64), 0
        if self.signs:
            agreement, with_majority = sign_agreement(updates)
        rows: list[tuple[int, Float64]] = []
        by_side = self._of_sides(updates, first)
        for column in range(0, updates.values.shape[1], BLOCK_COLUMNS):
            part = slice(column, column + BLOCK_COLUMNS)
            block = updates.columns(part)
            if self.row_values:
                rows.append(_squares_by_row(block, first + column, self.row_values))
            if self.sketch is not None:
                stacked = np.vstack([block.differences(), *(one[part] for one in more)])
                self.sketch.fold(stacked, first + column)
        return _Tile(gram, agreement, with_majority, rows, by_side)

    def _more_rows(self, updates: Rows, known: Float64 | None) -> list[Float64]:
        """Return the rows to multiply with the updates: their median, and the global model."""
        more: list[Float64] = []
        if self.median:
            median = medians(updates.values)
            more.append(median if updates.origin is None else median - updates.origin)
        if known is not None:
            more.append(known)
        return more

    def _of_sides(self, updates: Rows, first: int) -> tuple[Float64, ...]:
        """Return the sums by the parts of each side; nothing where no block was asked for."""
        blocks = range(
            first // BLOCK_COLUMNS, -(-(first + updates.values.shape[1]) // BLOCK_COLUMNS)
        )
        if all(block % self.every for block in blocks):
            return ()
        by_side = self.no_sides(len(updates.values))
        for side, sums in zip(self.sides, by_side, strict=True):
            side.add(sums, updates, first, self.every)
        return by_side


class _Gathering:
    def __init__(
        self,
        fragments: Fragments,
        origin: Origin,
        wanted: frozenset[Statistic],
        rows: int,
        sides: tuple[Side, ...],
    ) -> None:
        self._fragments = fragments
        self._n = fragments.participants
        median, has_global = Statistic.MEDIAN in wanted, origin.global_values is not None
        height = self._n + int(median) + int(has_global)
        self._sketch = _Sketch(fragments, height) if self._n > MOST_EXACT else None
        self.tiles = Tiles(
            origin=origin,
            median=median,
            signs=Statistic.SIGNS in wanted,
            row_values=fragments.values // rows if rows else 0,
            sides=sides,
            every=max(1, fragments.values // _SIDE_VALUES),
            sketch=self._sketch,
        )
        self._row_squares = np.zeros((self._n, rows))
        self._row_sum = np.zeros((self._n, self.tiles.row_values))
        self._by_side = self.tiles.no_sides(self._n)
        self._gram = Compensated((height, height))
        self._agreement = np.zeros(self._n, dtype=np.int64)
        self._with_majority = 0

    @property
    def can_be_spread(self) -> bool:
        """Return whether the chunks may be worked on apart: sketches and sums of rows are not."""
        start = self.tiles.origin.global_values
        is_array = isinstance(start, np.ndarray)
        return self._sketch is None and not self.tiles.row_values and not is_array

    def take(self, chunk: Chunk) -> None:
        """Take in some columns of all participants."""
        if self.tiles.row_values:
            known = self.tiles.known(chunk)
            updates = Rows(chunk.values, self.tiles.counted_from(chunk, known))
            self._add_rows(updates, chunk.first)
        self.add(self.tiles(chunk))

    def add(self, tiles: Sequence[_Tile]) -> None:
        """Add the statistics of the next tiles."""
        for tile in tiles:
            if tile.gram is not None:
                self._gram.add(tile.gram)
            self._agreement += tile.agreement
            self._with_majority += tile.with_majority
            for total, own in zip(self._by_side, tile.by_side, strict=False):
                total += own
            for row, squares in tile.rows:
                self._row_squares[:, row : row + squares.shape[1]] += squares

    def _add_rows(self, updates: Rows, first: int) -> None:
        """Add the rows of a weight matrix, or those parts of them that lie in the given columns."""
        start, width, columns = 0, self.tiles.row_values, updates.values.shape[1]
        while start < columns:
            place = (first + start) % width
            part = slice(start, min(start + width - place, columns))
            block = updates.columns(part).differences()
            self._row_sum[:, place : place + part.stop - start] += block
            start = part.stop

    def result(self) -> Gathered:
        """Return the gathered values, once all columns were taken."""
        n = self._n
        products = self._gram.total if self._sketch is None else self._sketch.gram()
        tiles = self.tiles
        has_global = tiles.origin.global_values is not None
        statistics = UpdateStatistics(
            gram=products[:n, :n],
            values=self._fragments.values,
            from_global=tiles.origin.is_global,
            along_global=products[:n, -1] if has_global else None,
            global_square=float(products[-1, -1]) if has_global else 0.0,
            along_median=products[:n, n] if tiles.median else None,
            median_square=float(products[n, n]) if tiles.median else 0.0,
            agreement=self._agreement if tiles.signs else None,
            with_majority=self._with_majority,
        )
        return Gathered(
            statistics=statistics,
            row_squares=self._row_squares,
            sum_squares=np.square(self._row_sum).sum(axis=1),
            by_side=self._by_side,
        )


class _Sketch:
    """Rows folded to a fixed length: each column goes to one place, with a random sign."""

    def __init__(self, fragments: Fragments, height: int) -> None:
        self._seed = fragments.entropy()
        self._folded = np.zeros((height, SKETCH_COLUMNS))

    def fold(self, block: Float64, first: int) -> None:
        """Add a block whose first column is the one with that number."""
        digest = hashlib.shake_128(self._seed + first.to_bytes(8, "little"))
        bits = np.unpackbits(np.frombuffer(digest.digest(BLOCK_COLUMNS // 8), np.uint8))
        columns = block.shape[1]
        place = first % SKETCH_COLUMNS
        self._folded[:, place : place + columns] += block * (1.0 - 2.0 * bits[:columns])

    def gram(self) -> Float64:
        """Return the approximate inner products of all rows."""
        return exact_square(self._folded)


def _squares_by_row(updates: Rows, first: int, length: int) -> tuple[int, Float64]:
    """Add the squares of a block's values by the rows of the matrix that they belong to.

    Returns the number of the first of these rows, and the sums of shape (n, rows).
    """
    starts = np.arange(-(first % length), updates.values.shape[1], length).clip(min=0)
    return first // length, run_squares(updates, starts)
