"""What a pickle makes where nothing is imported: descriptions of tensors, and stand-ins."""

from dataclasses import dataclass
from typing import Any

from ariba_cli.base.errors import RefusedFileError


class Fixed:
    """What a pickle cannot change once it is made."""

    def __setstate__(self, _: object) -> None:
        """Refuse a state."""
        raise RefusedFileError("is a pickle that changes what it has made")


class Mapped(dict[Any, Any]):
    """A dict with an order, of which PyTorch keeps notes that nobody needs."""

    def __setstate__(self, _: object) -> None:
        """Drop the notes."""


class StandIn:
    """An instance of a class that was not imported, or what a function would have returned.

    Attributes
    ----------
    named : str
        The name of the class or function.
    arguments : tuple
        What it was made of.
    state : object
        What its attributes would be, most often a dict.
    entries : dict
        What was put into it by keys.
    parts : list
        What was appended to it.
    """

    named = "object"

    arguments: tuple[Any, ...]
    state: object
    entries: dict[Any, Any]
    parts: list[Any]

    def __new__(cls, *arguments: object, **_: object) -> "StandIn":
        """Make one that can be filled, whichever way the pickle makes it."""
        made = object.__new__(cls)
        made.arguments, made.state, made.entries, made.parts = arguments, None, {}, []
        return made

    def __init__(self, *_: object, **__: object) -> None:
        """Take what `__new__` has kept."""

    def __call__(self, *_: object, **__: object) -> "StandIn":
        """Return what a method or a partial function would have."""
        return StandIn()

    def __setstate__(self, state: object) -> None:
        """Keep the state."""
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        """Keep an entry."""
        self.entries[key] = value

    def append(self, part: object) -> None:
        """Keep a part."""
        self.parts.append(part)

    def extend(self, parts: list[object]) -> None:
        """Keep parts."""
        self.parts.extend(parts)

    add = append


@dataclass(frozen=True, eq=False)
class Storage(Fixed):
    """Bytes that tensors are views of.

    Attributes
    ----------
    dtype : str, optional
        The type of its values, by the name that safetensors has; None where it says none.
    kind : str
        The type as PyTorch says it.
    item_bytes : int
        What a value takes.
    key : str
        Its name in the file, by which its bytes are found; empty where they are in `data`.
    values : int
        How many values there are.
    data : bytes
        Its bytes, where the pickle itself holds them.
    """

    dtype: str | None
    kind: str
    item_bytes: int
    key: str
    values: int
    data: bytes = b""


@dataclass(eq=False)
class Described(Fixed):
    """A tensor or an array, none of whose values was read.

    Attributes
    ----------
    kind : str
        What it is, in a word.
    dtype : str, optional
        The type of its values; None where it cannot be scored.
    shape, strides : tuple of int
        Strides are counted in values.
    start : int
        Where in the storage its first value is.
    storage : Storage, optional
        None where it cannot be scored.
    """

    kind: str
    dtype: str | None = None
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    start: int = 0
    storage: Storage | None = None


def view_of(
    storage: Storage, dtype: str, start: object, shape: object, strides: object
) -> Described:
    """Return a tensor that is a view of a storage, once its numbers are such.

    Raises
    ------
    RefusedFileError
        When they are not.
    """
    sound = (
        type(start) is int
        and start >= 0
        and isinstance(shape, tuple)
        and isinstance(strides, tuple)
        and len(shape) == len(strides)
        and all(type(one) is int and one >= 0 for one in (*shape, *strides))
    )
    if not sound:
        raise RefusedFileError("holds a tensor with a shape that is none")
    return Described(storage.kind, dtype, shape, strides, start, storage)  # type: ignore[arg-type]


def row_strides(shape: tuple[int, ...], *, by_column: bool = False) -> tuple[int, ...]:
    """Return the strides of values without gaps, the last index running fastest, or the first."""
    strides, step = [], 1
    for extent in shape if by_column else reversed(shape):
        strides.append(step)
        step *= extent
    return tuple(strides if by_column else reversed(strides))
