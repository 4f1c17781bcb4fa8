"""safetensors: a length, a JSON header, and the bytes of the tensors without gaps.

The header is checked here, more strictly than the safetensors library does: it accepts
duplicate names, of which the last wins, and fields that it does not know.
"""

import json
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

# Participants of one round send the same header: what it says is worked out and kept once.
_KEPT_HEADERS = 8
_LARGEST_KEPT_BYTES = 2**20


def recognises(source: OpenFile) -> bool:
    """Whether a header could start where safetensors puts it."""
    return source.head[_LENGTH_BYTES:][:1] == b"{"


def open_model(source: OpenFile, terms: ReadOptions) -> Model:
    """List the tensors of a file; see `Format`."""
    length = int.from_bytes(source.read(0, _LENGTH_BYTES), "little")
    if length > terms.limits.header_bytes:
        raise RefusedFileError(f"declares a header of {length:,} bytes")
    if _LENGTH_BYTES + length > source.size:
        raise RefusedFileError(
            f"is truncated: its header ends at byte {_LENGTH_BYTES + length:,} of {source.size:,}"
        )
    header = source.read(_LENGTH_BYTES, length)
    list_tensors = _list_once if length <= _LARGEST_KEPT_BYTES else _list
    tensors, layout = list_tensors(header, source.size, terms.limits)
    return Model(NAME, (ListedFile(source.path, source.stamp),), tensors, terms, layout=layout)


def encode(tensors: Mapping[str, npt.NDArray[np.floating]]) -> bytes:
    """The bytes of a safetensors file; see `Encoder`."""
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})


def encode_header(tensors: Mapping[str, TensorSpec], layout: str = "") -> bytes:
    """What a file starts with that then holds the bytes of these tensors, in this order.

    Parameters
    ----------
    layout : the layout of its kernels, as `Model` has it.
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


def _list(header: bytes, size: int, limits: Limits) -> tuple[Mapping[str, Extent], str]:
    """Return the tensors, and how the file says that kernels lie in it."""
    start = _LENGTH_BYTES + len(header)
    entries = parse_object(header, "a header")
    metadata = entries.pop("__metadata__", {})
    _check_metadata(metadata)
    check_count(len(entries), limits)
    tensors = {name: _tensor(name, entry, start, limits) for name, entry in entries.items()}
    _check_layout(tensors, start, size)
    return tensors, MLX if metadata.get("format") == MLX else ""


_list_once = lru_cache(maxsize=_KEPT_HEADERS)(_list)


def _check_metadata(metadata: object) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise RefusedFileError("has metadata that is not a table of strings")


def _tensor(name: str, entry: Any, start: int, limits: Limits) -> Extent:
    check_name(name, limits)
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [first, last]} if (
            len(entry) == 3 and dtype in SIZES and all(map(_is_count, [*shape, first, last]))
        ):
            check_shape(shape, limits)
            spec = TensorSpec(dtype, tuple(shape))
            if spec.bytes == last - first:
                return Extent(spec, start + first)
            raise RefusedFileError(f"gives {name!r} bytes that its shape does not fill")
        case _:
            raise RefusedFileError(
                f"describes {name!r} by something other than type, shape and offsets"
            )


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _check_layout(tensors: Mapping[str, Extent], start: int, size: int) -> None:
    """Refuse gaps, overlaps, and a file that is longer or shorter than its tensors."""
    position = start
    for name, one in sorted(tensors.items(), key=lambda item: (item[1].offset, item[1].raw_bytes)):
        if one.offset != position:
            raise RefusedFileError(f"leaves a gap or an overlap before {name!r}")
        position += one.raw_bytes
    if position > size:
        raise RefusedFileError(f"is truncated: its tensors end at byte {position:,} of {size:,}")
    if position < size:
        raise RefusedFileError(f"has {size - position:,} bytes after its tensors")
