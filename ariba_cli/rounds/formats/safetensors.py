"""safetensors: a length, a JSON header, and the bytes of the tensors without gaps.

The header is checked here, more strictly than the safetensors library does: it accepts
duplicate names, of which the last wins, and fields that it does not know.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from ariba_cli.errors import RefusedFileError
from ariba_cli.rounds.opening import OpenFile
from ariba_cli.rounds.tensors import SIZES, TensorSpec, check_name, check_shape

SUFFIX = ".safetensors"

_LENGTH_BYTES = 8
_MOST_HEADER_BYTES = 32 * 2**20


def recognises(head: bytes) -> bool:
    """Whether a header could start where safetensors puts it."""
    return head[_LENGTH_BYTES : _LENGTH_BYTES + 1] == b"{"


def catalog(file: OpenFile) -> dict[str, TensorSpec]:
    """Where the tensors of a file are; see `Format`."""
    length = int.from_bytes(file.read(0, _LENGTH_BYTES), "little")
    start = _LENGTH_BYTES + length
    if length > _MOST_HEADER_BYTES:
        raise RefusedFileError(f"declares a header of {length:,} bytes")
    if start > file.size:
        raise RefusedFileError(f"is truncated: its header ends at byte {start:,} of {file.size:,}")
    entries = _parse(file.read(_LENGTH_BYTES, length))
    _check_metadata(entries.pop("__metadata__", {}))
    tensors = {name: _tensor(name, entry, start) for name, entry in entries.items()}
    _check_layout(tensors, start, file.size)
    return tensors


def encode(tensors: Mapping[str, npt.NDArray[np.floating]]) -> bytes:
    """The bytes of a safetensors file; see `Format`."""
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})


def _parse(header: bytes) -> dict[str, Any]:
    try:
        entries = json.loads(
            header.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise RefusedFileError(
            f"has a header that is not strict JSON ({type(error).__name__})"
        ) from None
    if not isinstance(entries, dict):
        raise RefusedFileError("has a header that is not a JSON object")
    return entries


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise RefusedFileError("has a header with a name that occurs twice")
    return entries


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(constant)


def _check_metadata(metadata: object) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise RefusedFileError("has metadata that is not a table of strings")


def _tensor(name: str, entry: Any, start: int) -> TensorSpec:
    check_name(name)
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [first, last]} if (
            len(entry) == 3 and dtype in SIZES and all(map(_is_count, [*shape, first, last]))
        ):
            check_shape(shape)
            spec = TensorSpec(dtype, tuple(shape), start + first)
            if spec.bytes == last - first:
                return spec
            raise RefusedFileError(f"gives {name!r} bytes that its shape does not fill")
        case _:
            raise RefusedFileError(
                f"describes {name!r} by something other than type, shape and offsets"
            )


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _check_layout(tensors: Mapping[str, TensorSpec], start: int, size: int) -> None:
    """Refuse gaps, overlaps, and a file that is longer or shorter than its tensors."""
    position = start
    for name, spec in sorted(tensors.items(), key=lambda item: (item[1].offset, item[1].bytes)):
        if spec.offset != position:
            raise RefusedFileError(f"leaves a gap or an overlap before {name!r}")
        position += spec.bytes
    if position > size:
        raise RefusedFileError(f"is truncated: its tensors end at byte {position:,} of {size:,}")
    if position < size:
        raise RefusedFileError(f"has {size - position:,} bytes after its tensors")
