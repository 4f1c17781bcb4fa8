"""Folders as one row of bytes, so that a fuzzer can change them.

A folder is a row of records: one byte that says which of the target's file names it is
(modulo their number), four bytes of length (little-endian), and as many bytes of contents.
The last record may be cut short; of two with one name the later one counts.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

_HEAD_BYTES = 5


def pack(files: Mapping[str, bytes], names: Sequence[str]) -> bytes:
    """The bytes that stand for a folder with these files."""
    return b"".join(
        bytes([names.index(name)]) + len(data).to_bytes(4, "little") + data
        for name, data in files.items()
    )


def unpack(data: bytes, names: Sequence[str]) -> dict[str, bytes]:
    """The files that these bytes stand for."""
    files = {}
    while len(data) >= _HEAD_BYTES:
        end = _HEAD_BYTES + int.from_bytes(data[1:_HEAD_BYTES], "little")
        files[names[data[0] % len(names)]] = data[_HEAD_BYTES:end]
        data = data[end:]
    return files


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Make the folder hold these files and no others."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.name not in files:
            path.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)
