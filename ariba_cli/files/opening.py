"""The opening and reading of the files of a round, all in one place."""

import codecs
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.files import objects
from ariba_cli.files.clock import check_time
from ariba_cli.files.limits import Limits
from ariba_cli.files.objects import BLOCK_BYTES, StoredObject
from ariba_cli.files.stores import RemotePath

_HEAD_BYTES = 16
# A multiple of the size of every type, and less than what a processor's own cache holds.
_PIECE_BYTES = 2**18
_REMOTE_PIECE_BYTES = 2**22
# By which the size of a file on disk is counted, whatever the disk has.
_BLOCK_BYTES = 512

# Those of a cache lead to files that their owner put there, and others lead anywhere.
_LINK = (
    "is a link, which ariba does not follow; put the file itself there (cp -rL copies what links "
    "lead to)"
)


# In the place of a device where another machine listed the file: each has numbers of its own.
ANY_DEVICE = -1


class Stamp(NamedTuple):
    """The identity of a file, which differs from other files and changes with the file."""

    device: int
    inode: int
    size: int
    modified: int
    # Its owner can set the time at which it was modified, and this one not.
    changed: int
    # What an object store says instead of the others.
    etag: str = ""


@dataclass(frozen=True)
class OpenFile:
    """A regular file, opened for reading; bytes are read by position, none are mapped."""

    path: Path
    descriptor: int
    stamp: Stamp
    limits: Limits

    @property
    def piece_bytes(self) -> int:
        """Return the number of bytes of a long stretch that are best read at a time."""
        return _PIECE_BYTES

    @property
    def size(self) -> int:
        """Return its size in bytes."""
        return self.stamp.size

    @property
    def disk_bytes(self) -> int:
        """Return the number of its bytes that lie on the disk: holes in a file take none."""
        return min(self.size, os.fstat(self.descriptor).st_blocks * _BLOCK_BYTES)

    @property
    def head(self) -> bytes:
        """Return its first bytes, by which its format is recognised."""
        return self.read(0, min(self.size, _HEAD_BYTES))

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from a position.

        Raises
        ------
        RefusedFileError
            When the file ends before them.
        """
        buffer = bytearray(length)
        self.read_into(memoryview(buffer), offset)
        return bytes(buffer)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """Fill a buffer with the bytes from a position; see `read`."""
        while buffer:
            check_time()
            taken = os.preadv(self.descriptor, [buffer], offset)
            if not taken:
                raise _ended(offset)
            buffer = buffer[taken:]
            offset += taken


@dataclass(frozen=True)
class OpenFolder:
    """A folder that one participant sent; only the files that it lists can be opened."""

    path: Path
    names: frozenset[str]
    limits: Limits

    def open(self, name: str, *, most_bytes: int | None = None) -> AbstractContextManager[OpenFile]:
        """Open one of its files; see `open_file`."""
        if name not in self.names:
            raise RefusedFileError(f"has no file {name[:80]!r}")
        return open_file(self.path / name, self.limits, most_bytes=most_bytes)


@contextmanager
def open_file(
    path: Path,
    limits: Limits,
    *,
    most_bytes: int | None = None,
    expected: Stamp | None = None,
) -> Iterator[OpenFile]:
    """Open a regular file without following a link at its end and without blocking.

    Parameters
    ----------
    path : Path
        The file.
    limits : Limits
        The limits on the file.
    most_bytes : int, optional
        The most bytes that it may have; None for the limit of a model file.
    expected : Stamp, optional
        The stamp of the file when it was listed; None if it was not.

    Raises
    ------
    RefusedFileError
        When it is not a regular file, is too large, cannot be read, changes while it is open, or
        has changed since it was listed.
    """
    if isinstance(path, RemotePath):
        yield _opened_remotely(path, limits, most_bytes, expected)
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise RefusedFileError(_why_not_opened(path, error)) from error
    try:
        stamp = _stamp(descriptor)
        _check(stamp, limits.file_bytes if most_bytes is None else most_bytes, expected)
        yield OpenFile(path, descriptor, stamp, limits)
        if _stamp(descriptor) != stamp:
            raise RefusedFileError("changed while it was read")
    except OSError as error:
        raise RefusedFileError(f"cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)


def opened_already(stream: BinaryIO, limits: Limits) -> OpenFile:
    """Return a file that another process has opened by `open_file`, and passed on.

    Behind walls, its size is all that can be asked of it.
    """
    size = stream.seek(0, os.SEEK_END)
    return _HandedOn(Path(), stream.fileno(), Stamp(0, 0, size, 0, 0), limits)


class _HandedOn(OpenFile):
    """A file that is read by the system calls that are let through behind walls."""

    def read_into(self, buffer: memoryview, offset: int) -> None:
        while buffer:
            data = os.pread(self.descriptor, len(buffer), offset)
            if not data:
                raise _ended(offset)
            buffer[: len(data)] = data
            buffer = buffer[len(data) :]
            offset += len(data)


@dataclass(frozen=True)
class RemoteFile(OpenFile):
    """An object in a store, of which each stretch that is read is a request.

    Attributes
    ----------
    stored : StoredObject
        The object as it was listed.
    blocks : dict of int to memoryview, optional
        The blocks that were read so far, by their positions: while contents are listed, small
        stretches are read in blocks. None to read nothing but what is asked for.
    """

    stored: StoredObject
    blocks: dict[int, memoryview] | None

    @property
    def piece_bytes(self) -> int:
        """Return more than for a file on disk: an answer takes long to come."""
        return _REMOTE_PIECE_BYTES

    @property
    def disk_bytes(self) -> int:
        """Return its size: an object has no holes."""
        return self.size

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """Fill a buffer by as many requests as it takes; see `OpenFile.read`."""
        stop = offset + len(buffer)
        if stop > self.size:
            raise _ended(self.size)
        while buffer:
            check_time()
            found = self._from(offset, stop)
            if not found:
                raise _ended(offset)
            buffer[: len(found)] = found
            buffer = buffer[len(found) :]
            offset += len(found)

    def _from(self, start: int, stop: int) -> memoryview:
        """Return bytes from a position, as many as one request gives."""
        if self.blocks is None or stop - start > BLOCK_BYTES:
            return self._read(start, min(stop, start + _REMOTE_PIECE_BYTES))
        first = start - start % BLOCK_BYTES
        if first not in self.blocks:
            self.blocks[first] = self._read(first, min(first + BLOCK_BYTES, self.size))
        return self.blocks[first][start - first : stop - first]

    def _read(self, start: int, stop: int) -> memoryview:
        assert isinstance(self.path, RemotePath)
        return objects.read_range(self.path, self.stored, start, stop)


@contextmanager
def enough_memory() -> Iterator[None]:
    """Refuse one file when memory runs out, instead of ending the work on all files.

    Raises
    ------
    RefusedFileError
        When the block runs out of memory.
    """
    try:
        yield
    except MemoryError:
        raise RefusedFileError("needs more memory than this machine has") from None


def open_folder(path: Path, limits: Limits) -> OpenFolder:
    """List a folder without following a link at its end.

    Raises
    ------
    RefusedFileError
        When it is a link, cannot be listed, or holds too many files.
    """
    try:
        if isinstance(path, RemotePath):
            names = frozenset(objects.entries(path) or ())
        elif path.is_symlink():
            raise RefusedFileError(_LINK)
        else:
            with os.scandir(path) as entries:
                names = frozenset(entry.name for entry in islice(entries, limits.folder_files + 1))
    except OSError as error:
        raise RefusedFileError(f"cannot be listed: {error.strerror}") from error
    if len(names) > limits.folder_files:
        raise RefusedFileError(f"holds more than {limits.folder_files:,} files")
    return OpenFolder(path, names, limits)


def read_small(path: Path, limits: Limits) -> bytes:
    """Return all bytes of a file of ours, an index, or a configuration; see `open_file`."""
    with open_file(path, limits, most_bytes=limits.json_bytes) as file:
        return file.read(0, file.size)


def read_own(path: Path, most_bytes: int) -> bytes:
    """Return all bytes of a file that the user names on the command line, even of a link or a pipe.

    A byte order mark at its start is removed, and UTF-16, which some shells write, becomes UTF-8.

    Raises
    ------
    RefusedFileError
        When it cannot be read, or is larger.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(most_bytes + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise RefusedFileError(f"cannot be opened: {reason}") from error
    if len(data) > most_bytes:
        raise RefusedFileError(f"has more than {most_bytes:,} bytes")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16").encode()
        except UnicodeError as error:
            raise RefusedFileError("is not valid UTF-16") from error
    return data.removeprefix(codecs.BOM_UTF8)


def _opened_remotely(
    path: RemotePath, limits: Limits, most_bytes: int | None, expected: Stamp | None
) -> RemoteFile:
    if expected is not None and not objects.is_listed(path):
        # Another machine listed it; the request itself says which contents are wanted.
        changed = datetime.fromtimestamp(expected.changed, UTC)
        one: StoredObject | None = StoredObject(expected.size, expected.etag, changed)
    else:
        one = objects.find(path)
    if one is None:
        raise RefusedFileError("cannot be opened: there is no such object in the store")
    stamp = Stamp(0, 0, one.size, 0, int(one.modified.timestamp()), one.etag)
    _check(stamp, limits.file_bytes if most_bytes is None else most_bytes, expected)
    return RemoteFile(path, -1, stamp, limits, one, {} if expected is None else None)


def _check(stamp: Stamp, most_bytes: int, expected: Stamp | None) -> None:
    if stamp.size > most_bytes:
        raise RefusedFileError(f"has {stamp.size:,} bytes, more than {most_bytes:,}")
    if expected is not None and expected.device == ANY_DEVICE:
        stamp = stamp._replace(device=ANY_DEVICE)
    if expected is not None and stamp != expected:
        raise RefusedFileError("changed while it was read")


def _ended(offset: int) -> RefusedFileError:
    return RefusedFileError(f"ends too early, at byte {offset:,}")


def _stamp(descriptor: int) -> Stamp:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise RefusedFileError("is not a regular file")
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _why_not_opened(path: Path, error: OSError | ValueError) -> str:
    if os.path.islink(path):
        return _LINK
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return f"cannot be opened: {reason}"
