"""The objects that an unpickler without imports makes: descriptions of tensors, and stand-ins."""

from dataclasses import dataclass
from typing import Any

from ariba_cli.base.errors import RefusedFileError


class Fixed:
    """An object that a pickle cannot change once it is made."""

    def __setstate__(self, _: object) -> None:
        """Refuse a state."""
        raise RefusedFileError("is a pickle that changes its objects after making them")


class Mapped(dict[Any, Any]):
    """A dict with an order, on which PyTorch stores attributes that nobody needs."""

    def __setstate__(self, _: object) -> None:
        """Drop the attributes."""


class StandIn:
    """A stand-in for an instance of a class, or for a function's result, that was not imported.

    Attributes
    ----------
    named : str
        The name of the class or function.
    arguments : tuple
        The arguments that it was called with.
    state : object
        The state that its attributes would be set from, most often a dict.
    entries : dict
        The items that were set by key.
    parts : list
        The items that were appended.
    """

    named = "object"

    arguments: tuple[Any, ...]
    state: object
    entries: dict[Any, Any]
    parts: list[Any]

    def __new__(cls, *arguments: object, **_: object) -> "StandIn":
        """Make one that can be filled, by whichever opcode the pickle uses."""
        made = object.__new__(cls)
        made.arguments, made.state, made.entries, made.parts = arguments, None, {}, []
        return made

    def __init__(self, *_: object, **__: object) -> None:
        """Ignore the arguments, which `__new__` has kept."""

    def __call__(self, *_: object, **__: object) -> "StandIn":
        """Return a stand-in for the result of a method or a partial function."""
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
    """The bytes that tensors are views of.

    Attributes
    ----------
    dtype : str, optional
        The type of its values, by its name in safetensors; None if it states none.
    kind : str
        The name of the type in PyTorch.
    item_bytes : int
        The number of bytes per value.
    key : str
        Its name in the file, by which its bytes are found; empty if they are in `data`.
    values : int
        The number of values.
    data : bytes
        Its bytes, if the pickle itself holds them.
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
        The kind of object, in a word.
    dtype : str, optional
        The type of its values; None if it cannot be scored.
    shape : tuple of int
        Its shape.
    strides : tuple of int
        Its strides, counted in values.
    start : int
        The position of its first value in the storage.
    storage : Storage, optional
        The storage of its values; None if it cannot be scored.
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
    """Return a tensor that is a view of a storage, after checking its numbers.

    Raises
    ------
    RefusedFileError
        When the start, shape or strides are invalid.
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
        raise RefusedFileError("holds a tensor with an invalid shape")
    return Described(storage.kind, dtype, shape, strides, start, storage)  # type: ignore[arg-type]


def row_strides(shape: tuple[int, ...], *, by_column: bool = False) -> tuple[int, ...]:
    """Return the strides of values without gaps, the last index running fastest, or the first."""
    strides, step = [], 1
    for extent in shape if by_column else reversed(shape):
        strides.append(step)
        step *= extent
    return tuple(strides if by_column else reversed(strides))
