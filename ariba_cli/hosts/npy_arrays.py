"""Arrays as Flower carries them: each in the bytes of an `.npy` file, read without a copy."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.formats.memory import model_in_memory
from ariba_cli.formats.model import Model
from ariba_cli.formats.npy import PREAMBLE_BYTES, header_bytes, parse_header
from ariba_cli.formats.tensors import NUMPY_TYPES, check_count, check_name

_DESCR = {name: descr for descr, name in NUMPY_TYPES.items()}
_LIMITS = Limits()


def model_of(arrays: Mapping[str, bytes]) -> Model:
    """Return a model whose tensors share the memory of the bytes.

    Parameters
    ----------
    arrays : dict of str to bytes
        The bytes of each tensor as `numpy.save` writes it, by its name.

    Raises
    ------
    RefusedFileError
        When one is not an array of numbers that a model may hold.
    """
    check_count(len(arrays), _LIMITS)
    found = {}
    for name, data in arrays.items():
        check_name(name, _LIMITS)
        try:
            found[name] = _array(data)
        except RefusedFileError as error:
            raise RefusedFileError(f"{name!r} {error}") from error
    return model_in_memory(found)


def _array(data: bytes) -> npt.NDArray[np.generic]:
    start = header_bytes(data[:PREAMBLE_BYTES])
    spec, column_order = parse_header(data[:start], _LIMITS)
    if len(data) != start + spec.bytes:
        raise RefusedFileError(
            f"has {len(data):,} bytes, but its array takes {start + spec.bytes:,}"
        )
    values = np.frombuffer(data, _DESCR[spec.dtype], spec.values, start)
    return values.reshape(spec.shape, order="F" if column_order else "C")
