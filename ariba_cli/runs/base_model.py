"""The pre-trained network of a run with adapters, which lies beside its rounds."""

import hashlib
import os
from pathlib import Path

import numpy as np

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.federated.federation import Federation
from ariba_cli.federated.models import Weights
from ariba_cli.files.atomic import write_atomically
from ariba_cli.files.hashing import file_sha256
from ariba_cli.formats import ENCODERS, open_model
from ariba_cli.formats.model import ReadOptions
from ariba_cli.rounds.contents import BASE_NAME

_ENCODER = ENCODERS["safetensors"]


def write_base(directory: Path, federation: Federation) -> None:
    """Write the network of a federation that has one, unless it is there already."""
    if federation.base is not None and not os.path.lexists(directory / BASE_NAME):
        write_atomically(directory / BASE_NAME, [_ENCODER.encode(federation.base)])


def base_sha256(federation: Federation) -> str | None:
    """Return the hash of the file that `write_base` writes; None where it writes nothing."""
    if federation.base is None:
        return None
    return hashlib.sha256(_ENCODER.encode(federation.base)).hexdigest()


def read_base(path: Path, sha256: str | None = None) -> Weights:
    """Return the network that is stored in a file.

    Parameters
    ----------
    path : Path
        The file.
    sha256 : str, optional
        The hash that it must have, if that is known.

    Raises
    ------
    InputError
        When it cannot be read, or is another.
    """
    try:
        model = open_model(path, ReadOptions())
        with model.reading() as reading:
            if sha256 not in (None, file_sha256(reading.file(0))):
                raise RefusedFileError("is not the base model of the run: its sha256 differs")
        return {name: values.astype(np.float32) for name, values in model.floats()}
    except RefusedFileError as error:
        raise InputError(f"'{path}' {error}") from error
