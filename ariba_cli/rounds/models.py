"""A model file: its format, its tensors, and their bytes."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.errors import RefusedFileError
from ariba_cli.rounds.formats import FORMATS, format_of
from ariba_cli.rounds.opening import OpenFile, open_file
from ariba_cli.rounds.tensors import TensorSpec, to_array


@dataclass(frozen=True)
class ModelFile:
    """An open model file.

    Attributes
    ----------
    format : its name in `FORMATS`.
    tensors : its tensors by name, in the file's order.
    file : the file itself.
    """

    format: str
    tensors: Mapping[str, TensorSpec]
    file: OpenFile

    def read(self, name: str) -> bytes:
        """The bytes of one tensor, and no others."""
        spec = self.tensors[name]
        try:
            return self.file.read(spec.offset, spec.bytes)
        except MemoryError:
            raise RefusedFileError(
                f"has a tensor of {spec.bytes:,} bytes, which memory cannot hold"
            ) from None

    def floats(self) -> Iterator[tuple[str, npt.NDArray[np.floating]]]:
        """Names and values of the float tensors, read one after the other."""
        for name, spec in self.tensors.items():
            if spec.is_float:
                yield name, to_array(spec, self.read(name))


@contextmanager
def open_model(path: str | os.PathLike[str]) -> Iterator[ModelFile]:
    """Open a model file.

    Raises
    ------
    RefusedFileError
        When anything about it is not expressly allowed.
    """
    with open_file(path) as file:
        yield as_model(file)


def as_model(file: OpenFile) -> ModelFile:
    """What an open file holds as a model; see `open_model`."""
    name = format_of(file)
    return ModelFile(name, FORMATS[name].catalog(file), file)
