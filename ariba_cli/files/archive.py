"""Zip archives, read from an open file by position."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files.opening import OpenFile

MAGIC = b"PK\x03\x04"

_LOCAL_HEADER_BYTES = 30

# What the standard library raises over archives that are none.
_ERRORS = (zipfile.BadZipFile, zlib.error, NotImplementedError, ValueError, EOFError, KeyError)


@contextmanager
def open_archive(file: OpenFile) -> Iterator[zipfile.ZipFile]:
    """Open a file as a zip archive.

    Raises
    ------
    RefusedFileError
        When it is not one, even if that is found only while the block reads it.
    """
    try:
        with zipfile.ZipFile(_Positioned(file)) as archive:
            yield archive
    except _ERRORS as error:
        raise RefusedFileError(f"is not a valid zip archive ({type(error).__name__})") from error


def first_byte(entry: zipfile.ZipInfo, file: OpenFile) -> int:
    """Return the position of an entry's contents, after a header that the library has checked."""
    local = file.read(entry.header_offset, _LOCAL_HEADER_BYTES)
    name_bytes, extra_bytes = (int.from_bytes(local[at : at + 2], "little") for at in (26, 28))
    return entry.header_offset + _LOCAL_HEADER_BYTES + name_bytes + extra_bytes


class _Positioned:
    """A seekable view of an open file, which refuses archive directories beyond the limit."""

    def __init__(self, file: OpenFile) -> None:
        self._file = file
        self._position = 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size}[whence]
        if start + offset < 0:
            raise ValueError(offset)
        self._position = start + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._file.size - self._position)
        size = left if size < 0 else min(size, left)
        if size > self._file.limits.header_bytes:
            raise RefusedFileError(f"has a list of contents of {size:,} bytes, which is too long")
        data = self._file.read(self._position, size)
        self._position += size
        return data
