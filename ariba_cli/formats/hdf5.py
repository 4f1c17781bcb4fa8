"""HDF5: one file per participant, or one file for the round with a group per participant.

The HDF5 library parses in a child process (`isolation`). Tensors that lie in the file in
one piece are then read like those of any other format; the child unpacks the others.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.opening import OpenFile
from ariba_cli.formats.answers import told, told_tensor
from ariba_cli.formats.model import (
    Extent,
    ListedFile,
    Model,
    Reading,
    ReadOptions,
    Tensor,
    check_disjoint,
)
from ariba_cli.formats.tensors import (
    TensorSpec,
    check_count,
    check_expanded,
    to_array,
)

NAME = "hdf5"
SUFFIX = ".h5"

_UNSOUND = "is not valid HDF5 (its list of tensors)"
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def recognises(source: OpenFile) -> bool:
    """Return whether a file starts with the HDF5 signature."""
    return source.head.startswith(_SIGNATURE)


def open_model(source: OpenFile, terms: ReadOptions) -> Model:
    """List the tensors of a file; see `Format`."""
    return open_group(source, "/", terms)


def open_group(source: OpenFile, group: str, terms: ReadOptions) -> Model:
    """List the tensors of one group of a file; see `Format`."""
    match terms.isolation.hdf5.ask(source, "tensors", group=group):
        case {"tensors": found, "skipped": others}:
            tensors = dict(_tensor(entry, group, terms) for entry in _listed(found, terms))
            skipped = dict(told(entry, _UNSOUND) for entry in _listed(others, terms))
        case _:
            raise RefusedFileError(_UNSOUND)
    if len(tensors) < len(found):
        raise RefusedFileError(_UNSOUND)
    check_expanded([one.spec for one in tensors.values() if isinstance(one, _Packed)], terms.limits)
    in_place = {name: one for name, one in tensors.items() if isinstance(one, Extent)}
    check_disjoint(in_place, source.size)
    return Model(NAME, (ListedFile(source.path, source.stamp),), tensors, terms, skipped)


def groups(source: OpenFile, group: str, terms: ReadOptions) -> list[str]:
    """Return the names in a group of a file if most of them are groups, else nothing."""
    return [
        str(name)
        for name in _listed(terms.isolation.hdf5.ask(source, "groups", group=group), terms)
    ]


def encode(tensors: Mapping[str, npt.NDArray[np.floating]]) -> bytes:
    """Return the bytes of an HDF5 file; see `Encoder`."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=("v108", "v108")) as opened:
        for name, tensor in tensors.items():
            opened.create_dataset(name, data=tensor, track_times=False)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class _Packed:
    """A tensor that the HDF5 library has to unpack."""

    spec: TensorSpec
    group: str
    name: str

    @property
    def raw_bytes(self) -> int:
        return self.spec.bytes

    def read_into(self, reading: Reading, buffer: memoryview) -> None:
        parser, file = reading.model.terms.isolation.hdf5, reading.file(0)
        tensor = [self.name, self.spec.dtype, list(self.spec.shape), None]
        parser.ask(file, "values", into=buffer, group=self.group, tensor=tensor)

    def values(self, raw: memoryview) -> npt.NDArray[np.floating]:
        return to_array(self.spec, raw)


def _listed(found: Any, terms: ReadOptions) -> list[Any]:
    """Return a list that the child sent, which is trusted as little as the file."""
    if not isinstance(found, list):
        raise RefusedFileError(_UNSOUND)
    check_count(len(found), terms.limits)
    return found


def _tensor(entry: Any, group: str, terms: ReadOptions) -> tuple[str, Tensor]:
    """Return the name of a tensor, and the tensor as the child describes it."""
    name, spec, offset = told_tensor(entry, _UNSOUND, terms.limits)
    return name, _Packed(spec, group, name) if offset is None else Extent(spec, offset)
