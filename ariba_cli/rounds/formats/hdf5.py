"""HDF5: one file per participant, each tensor a contiguous dataset in the root group.

The HDF5 library is asked only where the bytes are; they are then read like those of any
other format. Links out of the file, external storage, virtual datasets and filters can
make a file larger than it is or reach beyond it, and are refused.
"""

import io
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ariba_cli.errors import RefusedFileError
from ariba_cli.rounds.opening import OpenFile
from ariba_cli.rounds.tensors import TensorSpec, check_disjoint, check_name, check_shape

if TYPE_CHECKING:
    import h5py

SUFFIX = ".h5"

_TYPES = {
    "|b1": "BOOL",
    "|u1": "U8",
    "|i1": "I8",
    "<u2": "U16",
    "<i2": "I16",
    "<f2": "F16",
    "<u4": "U32",
    "<i4": "I32",
    "<f4": "F32",
    "<u8": "U64",
    "<i8": "I64",
    "<f8": "F64",
}


def recognises(head: bytes) -> bool:
    """Whether a file starts with the HDF5 signature."""
    return head.startswith(b"\x89HDF\r\n\x1a\n")


def catalog(file: OpenFile) -> dict[str, TensorSpec]:
    """Where the tensors of a file are; see `Format`."""
    import h5py

    try:
        with (
            os.fdopen(os.dup(file.descriptor), "rb", buffering=0) as stream,
            h5py.File(stream, "r") as opened,
        ):
            tensors = {name: _tensor(opened, name, file.size) for name in opened}
            check_disjoint(tensors)
            return tensors
    except RefusedFileError:
        raise
    except Exception as error:
        # The library lets many kinds through, OverflowError and UnicodeDecodeError among them.
        raise RefusedFileError(f"is not sound HDF5 ({type(error).__name__})") from error


def encode(tensors: Mapping[str, npt.NDArray[np.floating]]) -> bytes:
    """The bytes of an HDF5 file; see `Format`."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=("v108", "v108")) as opened:
        for name, tensor in tensors.items():
            opened.create_dataset(name, data=tensor, track_times=False)
    return buffer.getvalue()


def _tensor(opened: "h5py.File", name: str, file_size: int) -> TensorSpec:
    import h5py

    check_name(name)
    if not isinstance(opened.get(name, getlink=True), h5py.HardLink):
        raise RefusedFileError(f"holds a link at {name!r}")
    dataset = opened[name]
    if not isinstance(dataset, h5py.Dataset):
        raise RefusedFileError(f"holds something other than a dataset at {name!r}")
    creation = dataset.id.get_create_plist()
    if creation.get_layout() != h5py.h5d.CONTIGUOUS or creation.get_external_count() > 0:
        raise RefusedFileError(f"does not hold {name!r} in one piece")
    if dataset.dtype.str not in _TYPES or dataset.shape is None:
        raise RefusedFileError(f"holds {name!r} as {dataset.dtype}, which is no type of a weight")
    check_shape(dataset.shape)
    offset = dataset.id.get_offset()
    spec = TensorSpec(_TYPES[dataset.dtype.str], dataset.shape, offset or 0)
    if spec.bytes > 0 and (offset is None or offset + spec.bytes > file_size):
        raise RefusedFileError(f"is truncated: {name!r} ends beyond byte {file_size:,}")
    return spec
