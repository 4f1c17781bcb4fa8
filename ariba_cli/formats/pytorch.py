"""PyTorch's `.pt` files, which are pickles: only for `ariba convert`, and only when trusted.

A child process with limits unpickles them (`isolation.pickles`), and imports nothing that they
name. Tensors that lie in the file in one piece are then read like those of any other format.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.archive import MAGIC, open_archive
from ariba_cli.files.opening import OpenFile
from ariba_cli.formats.answers import told, told_tensor
from ariba_cli.formats.model import Extent, ListedFile, Model, Reading, ReadOptions, Tensor
from ariba_cli.formats.tensors import (
    TensorSpec,
    check_count,
    check_expanded,
    to_array,
)
from ariba_cli.formats.unnamed import named

NAME = "pytorch"

REFUSAL = (
    "is a pickle, which could run code if it were opened; "
    "ariba convert ROUND --out DIR --trust-pickles writes it again as safetensors"
)

_UNSOUND = "is not a valid PyTorch file (its list of tensors)"
_PROTOCOL = b"\x80"
_CONTENTS = "/data.pkl"


def recognises(source: OpenFile) -> bool:
    """Return whether a file is a pickle, or the archive of one that PyTorch writes."""
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
    match terms.isolation.pickles.ask(source, "tensors"):
        case {"tensors": list(found), "skipped": list(skipped)}:
            check_count(len(found), terms.limits)
            tensors = dict(_tensor(entry, source, terms) for entry in found)
            passed_over = dict(told(entry, _UNSOUND) for entry in skipped)
        case _:
            raise RefusedFileError(_UNSOUND)
    _check_size(tensors, source, terms)
    files = (ListedFile(source.path, source.stamp),)
    return Model(NAME, files, named(tensors, terms), terms, passed_over)


@dataclass(frozen=True, slots=True)
class _Pickled:
    """A tensor whose bytes are not in its file in the order needed."""

    spec: TensorSpec
    name: str
    file: int = 0

    @property
    def raw_bytes(self) -> int:
        return self.spec.bytes

    def read_into(self, reading: Reading, buffer: memoryview) -> None:
        parser = reading.model.terms.isolation.pickles
        parser.ask(reading.file(self.file), "values", into=buffer, name=self.name)

    def values(self, raw: memoryview) -> npt.NDArray[np.floating]:
        return to_array(self.spec, raw)


def in_file(tensor: Tensor, number: int) -> Tensor:
    """Return the same tensor in another file of a model."""
    assert isinstance(tensor, _Pickled | Extent)
    return replace(tensor, file=number)


def _tensor(entry: Any, source: OpenFile, terms: ReadOptions) -> tuple[str, Tensor]:
    """Return the name of a tensor, and the tensor as the child describes it."""
    name, spec, place = told_tensor(entry, _UNSOUND, terms.limits)
    if place is None:
        return name, _Pickled(spec, name)
    if not 0 <= place <= source.size - spec.bytes:
        raise RefusedFileError(_UNSOUND)
    return name, Extent(spec, place)


def _check_size(tensors: Mapping[str, Tensor], source: OpenFile, terms: ReadOptions) -> None:
    """Refuse tensors that stand for more than a small file may.

    Tied tensors, such as an output layer and its embedding, are stored once and count twice.
    """
    total = sum(tensor.spec.bytes for tensor in tensors.values())
    if total - 2 * source.size > terms.limits.expanded_bytes:
        check_expanded((tensor.spec for tensor in tensors.values()), terms.limits)
