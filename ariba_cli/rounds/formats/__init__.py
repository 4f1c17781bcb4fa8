"""The model file formats, one module each, told apart by content.

A format says where in a file each tensor's bytes are, and writes such files. Reading
the bytes is the same for all. A new format is a module here and a line in `FORMATS`.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ariba_cli.errors import RefusedFileError
from ariba_cli.rounds.formats import hdf5, safetensors
from ariba_cli.rounds.opening import OpenFile
from ariba_cli.rounds.tensors import TensorSpec

_SIGNATURE_BYTES = 16


class Format(Protocol):
    """What a module of this folder offers."""

    SUFFIX: str

    def recognises(self, head: bytes) -> bool:
        """Whether a file that starts with these bytes claims to be of this format."""
        ...

    def catalog(self, file: OpenFile) -> dict[str, TensorSpec]:
        """Where the tensors are, by name; raises `RefusedFileError` for anything not allowed."""
        ...

    def encode(self, tensors: Mapping[str, npt.NDArray[np.floating]]) -> bytes:
        """The bytes of a file that holds these tensors, the same every time."""
        ...


FORMATS: dict[str, Format] = {"safetensors": safetensors, "hdf5": hdf5}


def format_of(file: OpenFile) -> str:
    """The name of the format that a file is in.

    Raises
    ------
    RefusedFileError
        When it is in none that is allowed.
    """
    head = file.read(0, min(file.size, _SIGNATURE_BYTES))
    for name, format_ in FORMATS.items():
        if format_.recognises(head):
            return name
    if head[:1] == b"\x80" or head[:2] == b"PK":
        raise RefusedFileError(
            "is a pickle or a zip archive (.pt, .npz), which is never opened; save safetensors"
        )
    raise RefusedFileError(f"is in no known format ({' or '.join(FORMATS)})")
