"""What the child can be asked about a PyTorch file: its tensors, and their values.

It is unpickled by PyTorch with `weights_only=True`, which builds tensors and plain
containers and imports nothing else. That has been got round before, and so it happens
here, under limits.
"""

import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import torch

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.formats.tensors import (
    TensorSpec,
    check_count,
    check_expanded,
    check_name,
    check_shape,
)

Answer = tuple[Any, Iterable[Any]]

_TYPES = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.int16: "I16",
    torch.int32: "I32",
    torch.int64: "I64",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float32: "F32",
    torch.float64: "F64",
}

# Where training scripts and servers keep the weights beside other things.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "module")
_DEEPEST_WRAPPER = 3

# The file is held as it was read, and as it is sent.
COPIES = 2

_PIECE_BYTES = 2**24

# The tensors of the one file that a process is asked about: what they are is asked first,
# and then what is in each of them.
_kept: dict[str, torch.Tensor] = {}


def try_out() -> None:
    """Use everything once, so that nothing is left to be loaded."""
    torch.set_num_threads(1)
    for as_zip in (True, False):
        buffer = io.BytesIO()
        tensor = torch.ones(2, dtype=torch.bfloat16)
        torch.save({"model": {"w": tensor}}, buffer, _use_new_zipfile_serialization=as_zip)
        buffer.seek(0)
        found = _unwrapped(_load(buffer))
        list(_pieces(found["w"]))


def _tensors(stream: BinaryIO, limits: Limits) -> Answer:
    """Name, type and shape of all tensors."""
    return [[name, *_described(tensor)] for name, tensor in _state(stream, limits).items()], ()


def _values(stream: BinaryIO, limits: Limits, *, name: str) -> Answer:
    """The values of one tensor, in pieces."""
    return None, _pieces(_state(stream, limits)[name])


QUESTIONS = {"tensors": _tensors, "values": _values}


def _state(stream: BinaryIO, limits: Limits) -> dict[str, torch.Tensor]:
    if not _kept:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        _kept.update(_checked(_unwrapped(_load(stream)), size, limits))
    return _kept


def _load(stream: BinaryIO) -> object:
    try:
        return torch.load(stream, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:
        forbidden = re.search(r"GLOBAL ([\w.]{1,100})", str(error))
        if forbidden:
            reason = f"is a pickle that asks for {forbidden[1]}; save a state_dict of tensors alone"
        elif "allocate memory" in str(error):
            raise MemoryError from error
        else:
            reason = f"is no PyTorch file that holds weights only ({type(error).__name__})"
        raise RefusedFileError(reason) from error


def _unwrapped(found: object) -> Mapping[Any, Any]:
    """The table of tensors, without what it is wrapped in."""
    for _ in range(_DEEPEST_WRAPPER):
        if not isinstance(found, Mapping):
            raise RefusedFileError(f"holds no table of tensors ({type(found).__name__})")
        inside = [found[key] for key in _WRAPPERS if isinstance(found.get(key), Mapping)]
        if not inside or any(isinstance(value, torch.Tensor) for value in found.values()):
            return found
        found = inside[0]
    raise RefusedFileError(f"wraps its tensors more than {_DEEPEST_WRAPPER} times")


def _checked(found: Mapping[Any, Any], file_bytes: int, limits: Limits) -> dict[str, torch.Tensor]:
    check_count(len(found), limits)
    tensors = {}
    for name, tensor in found.items():
        if not isinstance(name, str):
            raise RefusedFileError(f"names a tensor by a {type(name).__name__}")
        check_name(name, limits)
        if not isinstance(tensor, torch.Tensor):
            raise RefusedFileError(f"holds {name!r}, which is no tensor ({type(tensor).__name__})")
        if tensor.layout != torch.strided or tensor.dtype not in _TYPES or tensor.is_meta:
            raise RefusedFileError(f"holds {name!r} as {tensor.dtype}, {tensor.layout}")
        check_shape(tensor.shape, limits)
        tensors[name] = tensor.detach()
    # A tensor can be a small storage seen as a large one.
    specs = [TensorSpec(*_described(tensor)) for tensor in tensors.values()]
    beyond = sum(spec.bytes for spec in specs) - file_bytes
    if beyond > 0:
        check_expanded(specs, limits)
    return tensors


def _described(tensor: torch.Tensor) -> tuple[str, tuple[int, ...]]:
    return _TYPES[tensor.dtype], tuple(tensor.shape)


def _pieces(tensor: torch.Tensor) -> Iterator[Any]:
    data = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
    for start in range(0, len(data), _PIECE_BYTES):
        yield data[start : start + _PIECE_BYTES]
