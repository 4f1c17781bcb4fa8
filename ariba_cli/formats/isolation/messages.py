"""The protocol of the two processes: a length, JSON of that length, and the bytes it announces."""

import json
import socket
from collections.abc import Sequence
from typing import Any, Protocol

_LENGTH_BYTES = 8


class Source(Protocol):
    """A source of bytes: a socket, or a wrapper with a deadline."""

    def recv_into(self, buffer: memoryview) -> int:
        """Put some bytes at the start of a buffer, and return their number; 0 at the end."""
        ...


def send(
    connection: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()
) -> None:
    """Send a message, and with it the files of these descriptors."""
    data = json.dumps(message).encode("ascii")
    head = len(data).to_bytes(_LENGTH_BYTES, "little")
    if descriptors:
        socket.send_fds(connection, [head], list(descriptors))
    else:
        connection.sendall(head)
    connection.sendall(data)


def receive(connection: Source, most_bytes: int) -> dict[str, Any]:
    """Return the next message.

    Raises
    ------
    EOFError
        When the other side is gone.
    ValueError
        When the bytes are not a message, or one larger than allowed.
    """
    head = bytearray(_LENGTH_BYTES)
    fill(connection, memoryview(head))
    return _message(connection, bytes(head), most_bytes)


def receive_with_files(
    connection: socket.socket, most_bytes: int, most_files: int
) -> tuple[dict[str, Any], list[int]]:
    """Return the next message, and the descriptors of files that came with it; see `receive`."""
    head, descriptors, _, _ = socket.recv_fds(connection, _LENGTH_BYTES, most_files)
    if len(head) < _LENGTH_BYTES:
        raise EOFError
    return _message(connection, head, most_bytes), descriptors


def fill(connection: Source, buffer: memoryview) -> None:
    """Fill a buffer with the bytes that come next; see `receive`."""
    while buffer:
        taken = connection.recv_into(buffer)
        if not taken:
            raise EOFError
        buffer = buffer[taken:]


def _message(connection: Source, head: bytes, most_bytes: int) -> dict[str, Any]:
    length = int.from_bytes(head, "little")
    if length > most_bytes:
        raise ValueError(length)
    data = bytearray(length)
    fill(connection, memoryview(data))
    message = json.loads(data)
    if not isinstance(message, dict):
        raise ValueError(type(message))
    return message
