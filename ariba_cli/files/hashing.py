"""The SHA-256 of whole files."""

import hashlib

from ariba_cli.files.opening import OpenFile

BUFFER_BYTES = 2**20


def file_sha256(file: OpenFile, buffer: memoryview | None = None) -> str:
    """Return the SHA-256 of a whole file, in hex.

    Parameters
    ----------
    file : OpenFile
        The file, which is read from its start to its end.
    buffer : memoryview, optional
        Memory for the bytes, which can be reused from file to file; None to allocate it.

    Raises
    ------
    RefusedFileError
        When the file ends before its stated size.
    """
    memory = memoryview(bytearray(BUFFER_BYTES)) if buffer is None else buffer
    digest = hashlib.sha256()
    for start in range(0, file.size, len(memory)):
        piece = memory[: min(len(memory), file.size - start)]
        file.read_into(piece, start)
        digest.update(piece)
    return digest.hexdigest()
