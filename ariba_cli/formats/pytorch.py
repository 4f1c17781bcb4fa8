"""PyTorch's `.pt` files, which are pickles: only for `ariba convert`, and only when told to.

A child process with limits unpickles them (`isolation.pickles`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.archive import MAGIC, open_archive
from ariba_cli.files.opening import OpenFile
from ariba_cli.formats.model import ListedFile, Model, Reading, ReadOptions, Tensor
from ariba_cli.formats.tensors import (
    SIZES,
    TensorSpec,
    check_count,
    check_name,
    check_shape,
    to_array,
)

NAME = "pytorch"

REFUSAL = (
    "is a pickle, which is never opened here; "
    "ariba convert ROUND --out DIR --trust-pickles writes it again as safetensors"
)

_UNSOUND = "is no sound PyTorch file (its list of tensors)"
_PROTOCOL = b"\x80"
_CONTENTS = "/data.pkl"


def recognises(source: OpenFile) -> bool:
    """Whether a file is a pickle, or the archive of one that PyTorch writes."""
    if source.head.startswith(_PROTOCOL):
        return True
    if not source.head.startswith(MAGIC):
        return False
    try:
        with open_archive(source) as archive:
            return any(name.endswith(_CONTENTS) for name in archive.namelist())
    except RefusedFileError:
        return False


def open_model(source: OpenFile, terms: ReadOptions) -> Model:
    """List the tensors of a file; see `Format`."""
    if not terms.trust_pickles:
        raise RefusedFileError(REFUSAL)
    found = terms.isolation.pickles.ask(source, "tensors")
    if not isinstance(found, list):
        raise RefusedFileError(_UNSOUND)
    check_count(len(found), terms.limits)
    tensors = dict(_tensor(entry, terms) for entry in found)
    return Model(NAME, (ListedFile(source.path, source.stamp),), tensors, terms)


@dataclass(frozen=True, slots=True)
class _Pickled:
    """A tensor that has to be unpickled."""

    spec: TensorSpec
    name: str

    @property
    def raw_bytes(self) -> int:
        return self.spec.bytes

    def read_into(self, reading: Reading, buffer: memoryview) -> None:
        parser = reading.model.terms.isolation.pickles
        parser.ask(reading.file(0), "values", into=buffer, name=self.name)

    def values(self, raw: memoryview) -> npt.NDArray[np.floating]:
        return to_array(self.spec, raw)


def _tensor(entry: Any, terms: ReadOptions) -> tuple[str, Tensor]:
    """What the child says of a tensor, believed as little as the file."""
    match entry:
        case [str(name), str(dtype), list(shape)] if dtype in SIZES and all(
            type(extent) is int and extent >= 0 for extent in shape
        ):
            check_name(name, terms.limits)
            check_shape(shape, terms.limits)
            return name, _Pickled(TensorSpec(dtype, tuple(shape)), name)
        case _:
            raise RefusedFileError(_UNSOUND)
