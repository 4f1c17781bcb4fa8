"""The compiled kernels, if they were compiled and the processor can run them."""

import ctypes
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ariba_cli.base.aligned import aligned
from ariba_cli.base.errors import UsageError
from ariba_cli.native.levels import AUTO, LEVELS, LIBRARY, OFF, chosen, source_hash

Values = npt.NDArray[np.floating]
Float64 = npt.NDArray[np.float64]

# Values of float64 in a line of the cache.
_LINE = 8

_POINTER, _SIZE, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
# By function: what it returns and what it takes.
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "in_range": (_INT, (_POINTER, _SIZE, _INT)),
    "gram_scratch": (_SIZE, (_SIZE,)),
    "gram": (_INT, (_POINTER, _SIZE, _SIZE, _POINTER, _SIZE, *[_POINTER] * 4)),
    "medians": (None, (_POINTER, _SIZE, _SIZE, _POINTER, _SIZE, _POINTER, _POINTER)),
    "signs": (_SIZE, (_POINTER, _SIZE, _SIZE, _POINTER, _POINTER, _POINTER)),
    "squares": (None, (_POINTER, _SIZE, _POINTER, _SIZE, _POINTER, _POINTER)),
    "strip_scratch": (_SIZE, (_SIZE, _SIZE)),
    "moments": (None, (_POINTER, _SIZE, _SIZE, _SIZE, *[_POINTER] * 4)),
    "distances": (
        _SIZE,
        (_POINTER, _SIZE, _SIZE, _SIZE, _POINTER, _SIZE, _POINTER, _POINTER, _SIZE),
    ),
    "cholesky_scratch": (_SIZE, (_SIZE,)),
    "cholesky": (_SIZE, (_POINTER, _SIZE, ctypes.c_double, *[_POINTER] * 3)),
    "solve": (None, (_POINTER, _SIZE, _POINTER, _SIZE, _POINTER, _POINTER)),
    "count": (None, (_POINTER, _SIZE, _SIZE, _INT, _SIZE, _POINTER)),
    "take": (_SIZE, (_POINTER, _SIZE, _SIZE, _INT, _SIZE, *[_POINTER] * 3)),
    "side": (None, (_POINTER, *[_SIZE] * 7, *[_POINTER] * 5)),
}


class Kernels:
    """The functions of one level, by their names in `kernels.c`.

    Attributes
    ----------
    level : str
        The name of the level.
    """

    def __init__(self, library: ctypes.CDLL, level: str) -> None:
        self.level = level
        for name, (returns, takes) in _SIGNATURES.items():
            function = getattr(library, f"{name}_{level}")
            function.restype, function.argtypes = returns, takes
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        """Return a function; only type checkers need this, since all functions are set."""
        raise AttributeError(name)


class _Rows(ctypes.Structure):
    """The struct `Rows` of `kernels.c`."""

    _fields_ = (
        ("values", ctypes.c_void_p),
        ("wide", ctypes.c_int32),
        ("stride", ctypes.c_int64),
        ("origin", ctypes.c_void_p),
    )

    def holding(self, *arrays: npt.NDArray[Any] | None) -> Self:
        """Keep references to the arrays that it points into."""
        self.arrays = arrays
        return self


@dataclass(frozen=True)
class Rows:
    """The values of n participants in some columns, and the origin that is subtracted from them.

    Attributes
    ----------
    values : float array of shape (n, columns)
        The values as they were sent.
    origin : float64 array of shape (columns,), optional
        The values that are subtracted from all of them; None for zero.
    """

    values: Values
    origin: Float64 | None = None

    def columns(self, which: slice) -> "Rows":
        """Return some of the columns."""
        return Rows(self.values[:, which], None if self.origin is None else self.origin[which])

    def differences(self, memory: Float64 | None = None) -> Float64:
        """Return the values less their origin, of shape (n, columns).

        Parameters
        ----------
        memory : float64 array of shape (n·columns,), optional
            The memory that receives them; None to allocate it.
        """
        found = np.empty(self.values.shape) if memory is None else memory.reshape(self.values.shape)
        np.copyto(found, self.values)
        if self.origin is not None:
            found -= self.origin
        return found

    def for_kernels(self) -> _Rows | None:
        """Return the struct for kernels; None if they could not read it."""
        values, origin = self.values, self.origin
        fit = (
            values.dtype in (np.float32, np.float64)
            and values.flags.aligned
            and (values.shape[1] < 2 or values.strides[1] == values.itemsize)
            and values.strides[0] % values.itemsize == 0
        )
        if not fit or (origin is not None and not origin.flags.c_contiguous):
            return None
        return _Rows(
            values.ctypes.data,
            values.dtype == np.float64,
            values.strides[0] // values.itemsize,
            None if origin is None else origin.ctypes.data,
        ).holding(values, origin)


def kernels() -> Kernels | None:
    """Return the kernels to compute with; None if NumPy has to do it.

    Raises
    ------
    UsageError
        When a level was chosen that is not available here.
    """
    choice, levels = chosen(), available()
    if choice == OFF:
        return None
    if choice == AUTO:
        return levels[max(levels, key=LEVELS.index)] if levels else None
    if choice not in levels:
        raise UsageError(f"the kernels '{choice}' cannot run here: {_why_not()}")
    return levels[choice]


def kernels_in_words() -> str:
    """Return the level in use in a few words, or the reason why NumPy is used."""
    found = kernels()
    if found is not None:
        return found.level
    return f"none, {'they are switched off' if chosen() == OFF else _why_not()}"


def available() -> dict[str, Kernels]:
    """Return the kernels that can run here, by level."""
    return _load()[0]


def _why_not() -> str:
    """Return the reason why the kernels of some level are missing."""
    return _load()[1] or f"this processor can run {', '.join(available())}"


@cache
def _load() -> tuple[dict[str, Kernels], str]:
    """Load the library; return the kernels by level, or the reason why there are none."""
    if not LIBRARY.exists():
        return {}, "they were not compiled; install a C compiler, then install ariba again"
    try:
        library = ctypes.CDLL(str(LIBRARY))
        library.source.restype = ctypes.c_char_p
        if library.source().decode() != source_hash():
            return {}, "they are out of date; install ariba again"
        best = int(library.level())
        return {level: Kernels(library, level) for level in LEVELS[: best + 1]}, ""
    except (OSError, AttributeError) as error:
        return {}, " ".join(str(error).split())


_memory = threading.local()


def scratch(*sizes: int) -> list[Float64]:
    """Return this thread's memory for as many float64, each piece at the start of a cache line.

    The contents of pieces that were taken before are lost.
    """
    rounded = [-(-size // _LINE) * _LINE for size in sizes]
    held: Float64 | None = getattr(_memory, "held", None)
    if held is None or len(held) < sum(rounded):
        _memory.held = held = aligned(1, sum(rounded), np.float64)[0]
    stops = np.cumsum([0, *rounded]).tolist()
    return [held[stop : stop + size] for stop, size in zip(stops, sizes, strict=False)]
