"""The messages from a server to the process that saves its rounds: a line, then the bytes."""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

_LENGTH_BYTES = 8
_PIECE_BYTES = 2**20


def header(content: dict[str, Any]) -> bytes:
    """Return the start of a message: its length and the content."""
    data = json.dumps(content).encode("ascii")
    return len(data).to_bytes(_LENGTH_BYTES, "little") + data


def receive(stream: BinaryIO) -> dict[str, Any] | None:
    """Return the content at the start of the next message; None when no more comes."""
    length = stream.read(_LENGTH_BYTES)
    if len(length) < _LENGTH_BYTES:
        return None
    data = stream.read(int.from_bytes(length, "little"))
    content: dict[str, Any] = json.loads(data)
    return content


class Payload:
    """The bytes that follow, of which a known number comes.

    Parameters
    ----------
    stream : binary stream
        The stream to read.
    size : int
        The number of bytes.
    """

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._left = stream, size
        self._buffer = memoryview(bytearray(min(size, _PIECE_BYTES)))

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield the next bytes, each piece in the memory of the one before.

        Raises
        ------
        EOFError
            When the server is gone.
        """
        while size:
            piece = self._buffer[: min(size, len(self._buffer))]
            read = self._stream.readinto(piece)  # type: ignore[attr-defined]
            if not read:
                raise EOFError("the server is gone")
            size -= read
            self._left -= read
            yield piece[:read]

    def pass_over(self) -> None:
        """Read and drop the rest, so that the next message can be read."""
        for _ in self.pieces(self._left):
            pass
