"""Writing so that what is left is either the old file or the new one."""

import hashlib
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ariba_cli.base.errors import OutputError


class FileDigest(NamedTuple):
    """The size of a file in bytes, and its SHA-256 in hex."""

    bytes: int
    sha256: str


def check_space(folder: Path, size: int) -> None:
    """Refuse to write what does not fit, before the work is done.

    Raises
    ------
    OutputError
        When the disk has less room than that.
    """
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if size > free:
        raise OutputError(
            f"'{folder}' has room for {free:,} bytes, and {size:,} are to be written; name a place "
            "with more room"
        )


def write_atomically(path: Path, pieces: Iterable[bytes | memoryview]) -> FileDigest:
    """Write a file whole or not at all, with the mode that the umask allows.

    Parameters
    ----------
    pieces : its bytes, one after the other; each may be gone once the next is asked for.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    digest, size = hashlib.sha256(), 0
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "wb") as stream:
            for piece in pieces:
                stream.write(piece)
                digest.update(piece)
                size += len(piece)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise OutputError(f"'{path}' cannot be written: {error.strerror}") from error
        raise
    return FileDigest(size, digest.hexdigest())
