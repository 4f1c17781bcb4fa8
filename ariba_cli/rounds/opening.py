"""The one way in: how a file of a round is opened and its bytes are taken."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ariba_cli.errors import RefusedFileError

# More than any file of a model that is kept in one piece, and than any list of files.
MOST_MODEL_BYTES = 2**35
MOST_JSON_BYTES = 2**26


@dataclass(frozen=True)
class OpenFile:
    """A regular file, opened for reading; bytes are taken by position, none are mapped."""

    descriptor: int
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Exactly these bytes.

        Raises
        ------
        RefusedFileError
            When the file ends before them.
        """
        parts = []
        while length > 0:
            part = os.pread(self.descriptor, length, offset)
            if not part:
                raise RefusedFileError(f"ends at byte {offset:,}, before its contents do")
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


@contextmanager
def open_file(
    path: str | os.PathLike[str], *, most_bytes: int = MOST_MODEL_BYTES
) -> Iterator[OpenFile]:
    """Open a regular file without following a link at its end and without blocking.

    Raises
    ------
    RefusedFileError
        When it is no regular file, is larger than `most_bytes`, cannot be read, or changes
        while it is open.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise RefusedFileError(_why_not_opened(path, error)) from error
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise RefusedFileError("is not a regular file")
        if before.st_size > most_bytes:
            raise RefusedFileError(f"has {before.st_size:,} bytes, more than {most_bytes:,}")
        yield OpenFile(descriptor, before.st_size)
        after = os.fstat(descriptor)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise RefusedFileError("changed while it was read")
    except OSError as error:
        raise RefusedFileError(f"cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _why_not_opened(path: str | os.PathLike[str], error: OSError | ValueError) -> str:
    if os.path.islink(path):
        return "is a link"
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return f"cannot be opened: {reason}"
