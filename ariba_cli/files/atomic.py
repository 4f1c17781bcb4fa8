"""The writing of files, which leaves either the old file or the new one."""

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ariba_cli.base.errors import OutputError
from ariba_cli.files import objects
from ariba_cli.files.stores import RemotePath


class FileDigest(NamedTuple):
    """The size of a file in bytes, and its SHA-256 in hex."""

    bytes: int
    sha256: str


def check_space(folder: Path, size: int) -> None:
    """Refuse to write files that do not fit on the disk, before the work is done.

    Raises
    ------
    OutputError
        When the disk has less than `size` bytes free; a store has room for all.
    """
    if isinstance(folder, RemotePath):
        return
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if size > free:
        raise OutputError(
            f"'{folder}' has {free:,} bytes free, and {size:,} are needed; name a place with more "
            "space"
        )


def write_atomically(path: Path, pieces: Iterable[bytes | memoryview]) -> FileDigest:
    """Write a file whole or not at all, with the mode that the umask allows.

    Parameters
    ----------
    path : Path
        The file to write.
    pieces : iterable of bytes or memoryview
        Its bytes, one piece after the other. A piece need not last until the next is requested.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    if isinstance(path, RemotePath):
        return FileDigest(*objects.write(path, pieces))
    digest, size = hashlib.sha256(), 0
    temporary: Path | None = None
    try:
        descriptor, temporary = _make_temporary(path)
        with os.fdopen(descriptor, "wb") as stream:
            for piece in pieces:
                stream.write(piece)
                digest.update(piece)
                size += len(piece)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError):
            raise OutputError(f"'{path}' cannot be written: {error.strerror}") from error
        raise
    return FileDigest(size, digest.hexdigest())


def is_at(path: Path, descriptor: int) -> bool:
    """Return whether a path still leads to an open file."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _make_temporary(path: Path) -> tuple[int, Path]:
    """Make and lock the temporary file for another; return its descriptor and path.

    Its name follows from that of the other, so that the next run removes what a killed run has
    left. While another run writes there, the name is random.
    """
    usual = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}.tmp")
    with suppress(FileExistsError):
        _remove_abandoned(usual)
        descriptor = _create(usual)
        if _lock(descriptor) is not False and is_at(usual, descriptor):
            return descriptor, usual
        os.close(descriptor)
    other = path.with_name(f".{secrets.token_hex(8)}.tmp")
    return _create(other), other


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)


def _remove_abandoned(path: Path) -> None:
    """Remove a file of ours if no run holds its lock, as far as that can be found out."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with suppress(OSError):
        descriptor = os.open(path, flags)
        try:
            ours = os.fstat(descriptor).st_uid == os.geteuid()
            if ours and _lock(descriptor) and is_at(path, descriptor):
                os.unlink(path)
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Lock a file until it is closed; return False if another has locked it, None if none can."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # Some network file systems have no such locks.
        return None
    return True
