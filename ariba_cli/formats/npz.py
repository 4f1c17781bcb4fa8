"""`.npz`: a zip archive of `.npy` arrays, as `numpy.savez` writes it.

Arrays that were saved without names are called `arr_0`, `arr_1`, …; `ReadOptions.names`
gives their real names.
"""

import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.archive import MAGIC, first_byte, open_archive
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import OpenFile
from ariba_cli.formats import npy
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
    check_name,
    to_array,
    to_row_order,
)
from ariba_cli.formats.unnamed import named

NAME = "npz"

_SUFFIX = ".npy"
_ENCRYPTED = 1
_PIECE_BYTES = 2**20

_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def recognises(source: OpenFile) -> bool:
    """Return whether a file starts like a zip archive."""
    return source.head.startswith(MAGIC)


def open_model(source: OpenFile, terms: ReadOptions) -> Model:
    """List the arrays of an archive; see `Format`."""
    with open_archive(source) as archive:
        entries = archive.infolist()
        _check_entries(entries, terms.limits)
        found, skipped = _arrays(archive, entries, source)
    packed = [one.spec for one in found.values() if isinstance(one, _Deflated)]
    check_expanded(packed, terms.limits)
    in_place = {name: one for name, one in found.items() if isinstance(one, Extent)}
    check_disjoint(in_place, source.size)
    tensors = named(found, terms)
    return Model(NAME, (ListedFile(source.path, source.stamp),), tensors, terms, skipped)


@dataclass(frozen=True, slots=True)
class _Deflated:
    """An array that is compressed in the archive."""

    spec: TensorSpec
    entry: str
    start: int
    column_order: bool

    @property
    def raw_bytes(self) -> int:
        return self.spec.bytes

    def read_into(self, reading: Reading, buffer: memoryview) -> None:
        whole, file, clock = buffer, reading.file(0), reading.model.terms.isolation.clock
        with (
            clock.turn((file.path, "/"), file.limits.seconds),
            open_archive(file) as archive,
            archive.open(self.entry) as stream,
        ):
            _take(stream, self.start)
            while buffer:
                piece = _take(stream, min(_PIECE_BYTES, len(buffer)))
                buffer[: len(piece)] = piece
                buffer = buffer[len(piece) :]
        if self.column_order:
            to_row_order(self.spec, whole)

    def values(self, raw: memoryview) -> npt.NDArray[np.floating]:
        return to_array(self.spec, raw)


def _check_entries(entries: Sequence[zipfile.ZipInfo], limits: Limits) -> None:
    check_count(len(entries), limits)
    names = [entry.filename for entry in entries]
    for entry, count in zip(entries, map(Counter(names).__getitem__, names), strict=True):
        check_name(entry.filename, limits)
        if not entry.filename.endswith(_SUFFIX):
            raise RefusedFileError(f"holds {entry.filename!r}, which is not a NumPy array")
        if count > 1:
            raise RefusedFileError(f"holds {entry.filename!r} twice")
        if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _PACKINGS:
            raise RefusedFileError(f"packs {entry.filename!r} in a way that is not allowed")


def _arrays(
    archive: zipfile.ZipFile, entries: Sequence[zipfile.ZipInfo], source: OpenFile
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the arrays by name, and the types of those arrays that are of no type of a weight."""
    found: dict[str, Tensor] = {}
    skipped: dict[str, str] = {}
    first = None
    for entry in entries:
        name = entry.filename.removesuffix(_SUFFIX)
        try:
            found[name] = _array(archive, entry, source)
        except npy.NoWeightError as error:
            first = first or error
            skipped[name] = error.descr
    if first is not None and not found:
        raise RefusedFileError(str(first))
    return found, skipped


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, source: OpenFile) -> Tensor:
    """Return an array with the position of its values, from its header."""
    with archive.open(entry) as stream:
        preamble = _take(stream, npy.PREAMBLE_BYTES)
        start = npy.header_bytes(preamble)
        header = preamble + _take(stream, start - len(preamble))
    spec, column_order = npy.parse_header(header, source.limits)
    if entry.file_size != start + spec.bytes:
        raise RefusedFileError(
            f"declares {entry.file_size:,} bytes for {entry.filename!r}, but header and array take "
            f"{start + spec.bytes:,}"
        )
    if entry.compress_type == zipfile.ZIP_STORED:
        return Extent(spec, first_byte(entry, source) + start, column_order=column_order)
    return _Deflated(spec, entry.filename, start, column_order)


def _take(stream: IO[bytes], size: int) -> bytes:
    """Return exactly that many bytes of a stream."""
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data
