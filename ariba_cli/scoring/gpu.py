"""The arithmetic over all fragments in torch, on a GPU.

A GPU adds in an order of its own, as BLAS does, and `Processor` allows for it. Only the
differences and their mean have to be the numbers that NumPy finds: each step to them is
one operation of IEEE arithmetic, and none is fused with the next.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ariba_cli.base.errors import UsageError
from ariba_cli.native.centring import add_halves
from ariba_cli.native.compensated import Compensated
from ariba_cli.native.distances import ROWS_PER_SUM
from ariba_cli.scoring.processor import (
    Float64,
    Sums,
    Values,
)

if TYPE_CHECKING:
    import torch

# Bytes that are copied at a time, as they were sent: enough for the arithmetic on one piece
# to hide the copy of the next. On the card a piece takes about eight times as many.
_PIECE_BYTES = 2**26


class Gpu:
    """A processor that works on a GPU; see `Processor`.

    Parameters
    ----------
    name : str
        The name that torch gives to the device: `cuda`, `cuda:1`; or `cpu`, which tests use.
    notice : callable
        The function that is called with a message when the GPU has too little memory for pieces
        of the usual size.

    Raises
    ------
    UsageError
        When there is no such device.
    """

    def __init__(self, name: str, notice: Callable[[str], None]) -> None:
        self.name = name
        self._device = _device(name)
        self._notice = notice
        self._piece_bytes = _PIECE_BYTES

    def sums(self, values: Values, reference: int, dimension: int) -> Sums:
        """See `Processor`."""
        import torch

        products = Compensated((dimension, dimension))
        squares = np.zeros(len(values))
        additions = 0

        def add(_: int, piece: "torch.Tensor") -> None:
            nonlocal squares, additions
            rows = _differences(piece, reference, torch.float64)
            square = (rows * rows).sum(dim=1).cpu().numpy()
            _centre(rows)
            product, roundings = _products(rows.reshape(-1, dimension))
            products.add(product.cpu().numpy())
            squares = squares + square
            additions = max(additions, roundings)

        self._go_over(values, dimension, add)
        return Sums(products.total, squares, additions)

    def squared(self, values: Values, reference: int, whitening: Float64, out: Float64) -> float:
        """See `Processor`."""
        import torch

        dimension = whitening.shape[1]
        matrix = torch.from_numpy(whitening).to(self._device)

        def work(start: int, piece: "torch.Tensor") -> None:
            rows = _differences(piece, reference, matrix.dtype)
            _centre(rows)
            white = matrix @ rows.reshape(-1, dimension).T
            squared = (white * white).sum(dim=0).reshape(len(values), -1)
            first = start // dimension
            out[:, first : first + squared.shape[1]] = squared.cpu().numpy()

        self._go_over(values, dimension, work)
        return float(out.max())

    def _go_over(
        self, values: Values, dimension: int, work: "Callable[[int, torch.Tensor], None]"
    ) -> None:
        """Call a function for the columns of a chunk, a piece at a time.

        Where the GPU has too little memory, the work on a piece is done again in smaller ones.

        Parameters
        ----------
        values : array of shape (n, columns)
            The values of a chunk.
        dimension : int
            The number of values of a fragment.
        work : callable
            The function that is called with the first column of a piece, and the piece.
        """
        import torch

        done = 0
        while done < values.shape[1]:
            fragment_bytes = len(values) * dimension * values.itemsize
            width = dimension * max(1, self._piece_bytes // fragment_bytes)
            try:
                for start, piece in self._pieces(values, done, width):
                    work(start, piece)
                    done = start + piece.shape[1]
            except torch.OutOfMemoryError:
                if width == dimension:
                    raise
                self._piece_bytes = width // dimension * fragment_bytes // 2
                torch.cuda.empty_cache()
                self._notice(
                    f"{self.name} is short of memory; continuing with {self._piece_bytes:,} "
                    "bytes at a time"
                )

    def _pieces(
        self, values: Values, first: int, width: int
    ) -> "Iterator[tuple[int, torch.Tensor]]":
        """Yield the columns of a chunk on the device; the next are copied during work on these."""
        import torch

        starts = range(first, values.shape[1], width)
        if self._device.type == "cpu":
            for start in starts:
                yield (
                    start,
                    torch.from_numpy(np.ascontiguousarray(values[:, start : start + width])),
                )
            return
        sender = _Sender(self._device, len(values) * width, values.dtype)
        coming = sender.send(values[:, first : first + width])
        for start in starts:
            piece = sender.arrived(coming)
            following = start + width
            if following < values.shape[1]:
                coming = sender.send(values[:, following : following + width])
            yield start, piece


class _Sender:
    """A copier to a GPU, through two buffers of memory that the GPU itself can read."""

    def __init__(self, device: "torch.device", values: int, dtype: np.dtype[Any]) -> None:
        import torch

        kind = torch.from_numpy(np.empty(0, dtype)).dtype
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._buffers = [torch.empty(values, dtype=kind, pin_memory=True) for _ in range(2)]
        self._copied = [torch.cuda.Event() for _ in range(2)]  # type: ignore[no-untyped-call]
        self._sent = 0

    def send(self, values: Values) -> "tuple[torch.Tensor, torch.cuda.Event]":
        """Start a copy; it has not arrived yet."""
        import torch

        which = self._sent % 2
        self._sent += 1
        # The copy before the last one was from the same buffer.
        self._copied[which].synchronize()
        buffer = self._buffers[which][: values.size].reshape(values.shape)
        np.copyto(buffer.numpy(), values)
        with torch.cuda.stream(self._stream):
            piece = buffer.to(self._device, non_blocking=True)
            self._copied[which].record(self._stream)
        return piece, self._copied[which]

    def arrived(self, coming: "tuple[torch.Tensor, torch.cuda.Event]") -> "torch.Tensor":
        """Return the copy; all arithmetic that is started from now on waits for it."""
        import torch

        piece, copied = coming
        arithmetic = torch.cuda.current_stream(self._device)
        arithmetic.wait_event(copied)
        piece.record_stream(arithmetic)
        return piece


def _device(name: str) -> "torch.device":
    import torch

    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"unknown device '{name}'; use auto, cpu, cuda or cuda:N") from error
    if device.type == "cpu":
        return device
    count = torch.cuda.device_count()
    if device.type != "cuda" or (device.index or 0) >= count:
        raise UsageError(
            f"PyTorch does not find the device '{name}' (it sees {count} CUDA devices); use "
            "--device cpu"
        )
    return device


def _differences(piece: "torch.Tensor", reference: int, dtype: "torch.dtype") -> "torch.Tensor":
    """Return the differences of everybody's values from one's, like `fragments.differences`."""
    import torch

    if piece.dtype == torch.float64:
        return (piece - piece[reference]).to(dtype)
    return piece.to(dtype) - piece[reference].to(dtype)


def _centre(rows: "torch.Tensor") -> None:
    """Subtract the mean over the participants, in place, like `fragments.centre`."""
    import torch

    sums = rows[: (len(rows) + 1) // 2].clone()
    add_halves(sums, rows)
    # By a tensor: torch multiplies by the reciprocal of a number, which is another result.
    rows -= sums[0] / torch.full((), len(rows), dtype=rows.dtype, device=rows.device)


def _products(rows: "torch.Tensor") -> "tuple[torch.Tensor, int]":
    """Return Σ x·xᵀ over rows x, and the largest number of its roundings; see `Sums`."""
    import torch

    whole = len(rows) // ROWS_PER_SUM
    batches = rows[: whole * ROWS_PER_SUM].reshape(whole, ROWS_PER_SUM, rows.shape[1])
    rest = rows[whole * ROWS_PER_SUM :]
    products = rest.T @ rest + torch.bmm(batches.transpose(1, 2), batches).sum(dim=0)
    return products, ROWS_PER_SUM + whole + 1
