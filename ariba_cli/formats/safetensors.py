"""safetensors: a length, a JSON header, and the bytes of the tensors without gaps.

The header is checked more strictly than by the safetensors library, which accepts
duplicate names, of which the last wins, and unknown fields.
"""

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import OpenFile
from ariba_cli.files.strict_json import parse_object
from ariba_cli.formats.layouts import MLX
from ariba_cli.formats.model import Extent, ListedFile, Model, ReadOptions
from ariba_cli.formats.tensors import SIZES, TensorSpec, check_count, check_name, check_shape

NAME = "safetensors"
SUFFIX = ".safetensors"

_LENGTH_BYTES = 8
_ALIGNMENT = 8

# Bits per value of every type that the format has; those that take no whole bytes, and some
# others, are passed over.
_BITS = {dtype: 8 * size for dtype, size in SIZES.items()} | {
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "C64": 64,
}

# Participants of one round send the same header: what it says is worked out and kept once.
_KEPT_HEADERS = 8
_LARGEST_KEPT_BYTES = 2**20


def recognises(source: OpenFile) -> bool:
    """Return whether the first bytes can be a safetensors length and header, and not a text."""
    length, first = source.head[:_LENGTH_BYTES], source.head[_LENGTH_BYTES:][:1]
    return first == b"{" and not (length.isascii() and length.decode("ascii").isprintable())


def open_model(source: OpenFile, terms: ReadOptions) -> Model:
    """List the tensors of a file; see `Format`."""
    length = int.from_bytes(source.read(0, _LENGTH_BYTES), "little")
    if length > terms.limits.header_bytes:
        raise RefusedFileError(f"declares a header of {length:,} bytes, which is too long")
    if _LENGTH_BYTES + length > source.size:
        raise RefusedFileError(
            f"is truncated: its header ends at byte {_LENGTH_BYTES + length:,} of {source.size:,}"
        )
    header = source.read(_LENGTH_BYTES, length)
    list_tensors = _list_once if length <= _LARGEST_KEPT_BYTES else _list
    tensors, skipped, layout = list_tensors(header, source.size, terms.limits)
    files = (ListedFile(source.path, source.stamp),)
    return Model(NAME, files, tensors, terms, skipped, layout=layout)


def encode(tensors: Mapping[str, npt.NDArray[np.floating]]) -> bytes:
    """Return the bytes of a safetensors file; see `Encoder`."""
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})


def encode_header(tensors: Mapping[str, TensorSpec], layout: str = "") -> bytes:
    """Return the start of a file that then holds the bytes of these tensors, in this order.

    Parameters
    ----------
    tensors : mapping of str to TensorSpec
        The types and shapes of the tensors.
    layout : str
        The layout of its kernels, in the terms of `Model`.
    """
    entries: dict[str, Any] = {"__metadata__": {"format": layout}} if layout else {}
    position = 0
    for name, spec in tensors.items():
        offsets = [position, position + spec.bytes]
        entries[name] = {"dtype": spec.dtype, "shape": spec.shape, "data_offsets": offsets}
        position += spec.bytes
    header = json.dumps(entries, separators=(",", ":")).encode("ascii")
    # The bytes of the tensors shall start where every type may.
    header += b" " * (-len(header) % _ALIGNMENT)
    return len(header).to_bytes(_LENGTH_BYTES, "little") + header


def _list(
    header: bytes, size: int, limits: Limits
) -> tuple[Mapping[str, Extent], Mapping[str, str], str]:
    """Return the tensors, the types of those that cannot be scored, and the layout of kernels."""
    start = _LENGTH_BYTES + len(header)
    entries = parse_object(header, "a header")
    metadata = entries.pop("__metadata__", {})
    _check_metadata(metadata)
    check_count(len(entries), limits)
    tensors: dict[str, Extent] = {}
    skipped: dict[str, str] = {}
    places: dict[str, tuple[int, int]] = {}
    for name, entry in entries.items():
        dtype, shape, first, last = _described(name, entry, limits)
        places[name] = start + first, last - first
        if dtype in SIZES:
            tensors[name] = Extent(TensorSpec(dtype, shape), start + first)
        else:
            skipped[name] = dtype
    _check_layout(places, start, size)
    if skipped and not tensors:
        raise RefusedFileError(
            f"holds no tensor that can be scored, only {next(iter(skipped.values()))}"
        )
    return tensors, skipped, MLX if metadata.get("format") == MLX else ""


_list_once = lru_cache(maxsize=_KEPT_HEADERS)(_list)


def _check_metadata(metadata: object) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise RefusedFileError("has metadata that is not a table of strings")


def _described(name: str, entry: Any, limits: Limits) -> tuple[str, tuple[int, ...], int, int]:
    """Return the type and shape of a tensor, its first byte, and the one after its last."""
    check_name(name, limits)
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [first, last]} if (
            len(entry) == 3 and dtype in _BITS and all(map(_is_count, [*shape, first, last]))
        ):
            check_shape(shape, limits)
            if math.prod(shape) * _BITS[dtype] == 8 * (last - first):
                return dtype, tuple(shape), first, last
            raise RefusedFileError(f"gives {name!r} another number of bytes than its shape takes")
        case _:
            raise RefusedFileError(
                f"describes {name!r} by something other than type, shape and offsets"
            )


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _check_layout(places: Mapping[str, tuple[int, int]], start: int, size: int) -> None:
    """Refuse gaps, overlaps, and a file that is longer or shorter than its tensors."""
    position = start
    for name, (offset, length) in sorted(places.items(), key=lambda item: item[1]):
        if offset != position:
            raise RefusedFileError(f"leaves a gap or an overlap before {name!r}")
        position += length
    if position > size:
        raise RefusedFileError(f"is truncated: its tensors end at byte {position:,} of {size:,}")
    if position < size:
        raise RefusedFileError(f"has {size - position:,} bytes after its tensors")
