"""`.npy`: one array, with a header that is a Python literal.

The header is not evaluated, but compared with the one form that NumPy and its imitators
write. Arrays of objects, which would have to be unpickled, are refused.
"""

import re

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import OpenFile
from ariba_cli.formats.model import Extent, ListedFile, Model, ReadOptions
from ariba_cli.formats.tensors import NUMPY_TYPES, TensorSpec, check_name, check_shape

NAME = "npy"

# What the only array of a file is called when nobody names it, as in an archive of one.
_UNNAMED = "arr_0"

_MAGIC = b"\x93NUMPY"
# The bytes that give the length of the header, by the major version.
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}
_VERSION_BYTES = 2
_MOST_HEADER_BYTES = 4096

# Its magic, version and length.
PREAMBLE_BYTES = len(_MAGIC) + _VERSION_BYTES + 4

_HEADER = re.compile(
    rb"\{\s*'descr'\s*:\s*'(?P<descr>[<>|=]?[A-Za-z][0-9]{0,4}(?:\[[0-9A-Za-z]{1,6}\])?)'\s*,"
    rb"\s*'fortran_order'\s*:\s*(?P<order>True|False)\s*,"
    rb"\s*'shape'\s*:\s*\(\s*(?P<shape>(?:[0-9]{1,19}\s*,\s*)*(?:[0-9]{1,19})?)\s*\)\s*,?\s*\}\s*"
)


class NoWeightError(RefusedFileError):
    """An array of a type that no weight has.

    Attributes
    ----------
    descr : str
        The type in NumPy's notation.
    """

    def __init__(self, descr: str) -> None:
        super().__init__(f"holds an array of {descr}, which weights cannot be")
        self.descr = descr


def recognises(source: OpenFile) -> bool:
    """Return whether a file starts with NumPy's magic string."""
    return source.head.startswith(_MAGIC)


def open_model(source: OpenFile, terms: ReadOptions) -> Model:
    """Describe the one array of a file; see `Format`."""
    start = header_bytes(source.read(0, min(source.size, PREAMBLE_BYTES)))
    spec, column_order = parse_header(source.read(0, min(source.size, start)), terms.limits)
    if source.size != start + spec.bytes:
        raise RefusedFileError(
            f"has {source.size:,} bytes, but header and array take {start + spec.bytes:,}"
        )
    name = single_name(terms)
    tensors = {name: Extent(spec, start, column_order=column_order)}
    return Model(NAME, (ListedFile(source.path, source.stamp),), tensors, terms)


def header_bytes(preamble: bytes) -> int:
    """Return the position of the first value in a file that starts with these bytes.

    Raises
    ------
    RefusedFileError
        When no such file starts with them.
    """
    version = preamble[len(_MAGIC)] if len(preamble) == PREAMBLE_BYTES else 0
    if not preamble.startswith(_MAGIC) or version not in _LENGTH_BYTES:
        raise RefusedFileError("does not start like a NumPy array")
    start = len(_MAGIC) + _VERSION_BYTES + _LENGTH_BYTES[version]
    length = int.from_bytes(preamble[len(_MAGIC) + _VERSION_BYTES : start], "little")
    if length > _MOST_HEADER_BYTES or start + length < PREAMBLE_BYTES:
        raise RefusedFileError(f"has an array with a header of {length:,} bytes, which is wrong")
    return start + length


def parse_header(data: bytes, limits: Limits) -> tuple[TensorSpec, bool]:
    """Return the type and shape of an array, and whether its first index runs fastest.

    Raises
    ------
    RefusedFileError
        When the type is not that of a weight, or the header is malformed.
    """
    start = len(_MAGIC) + _VERSION_BYTES + _LENGTH_BYTES[data[len(_MAGIC)]]
    found = _HEADER.fullmatch(data[start:])
    if found is None:
        raise RefusedFileError("has an array with a header that NumPy did not write")
    descr = found["descr"].decode("ascii")
    if descr not in NUMPY_TYPES:
        raise NoWeightError(descr)
    shape = tuple(int(extent) for extent in found["shape"].split(b",") if extent.strip())
    check_shape(shape, limits)
    return TensorSpec(NUMPY_TYPES[descr], shape), found["order"] == b"True"


def single_name(terms: ReadOptions) -> str:
    """Return the name of the one array of a file.

    Raises
    ------
    RefusedFileError
        When more or fewer names were given.
    """
    if terms.names is None:
        return _UNNAMED
    if len(terms.names) != 1:
        raise RefusedFileError(f"holds 1 array, but {len(terms.names)} names were given")
    check_name(terms.names[0], terms.limits)
    return terms.names[0]
