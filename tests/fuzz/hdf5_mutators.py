"""Changes of HDF5's metadata, after which its checksums are right again.

HDF5 File Format Specification 3.0: superblocks of version 2 and 3, and object headers of
version 2, end with a checksum (Jenkins' lookup3), without which nothing else is looked at.
"""

import re
from random import Random

from tests.fuzz.harness import Plain

_MASK = 0xFFFFFFFF
_EDGES = (0, 1, 2, 3, 4, 6, 8, 16, 127, 128, 255)
_WIDE = (2**16 - 1, 2**24, 2**31, 2**32 - 1, 2**40, 2**63, 2**64 - 1)
_SIGNATURES = re.compile(
    rb"OHDR|OCHK|TREE|HEAP|SNOD|GCOL|FRHP|FHDB|FHIB|BTHD|BTIN|BTLF|FAHD|FADB|EAHD|EAIB|EADB|FSHD"
)


def mutate_hdf5(data: bytes, rng: Random, plain: Plain) -> bytes:
    """Change the description of the datasets more often than their values."""
    if rng.random() < 0.1:
        return plain(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = _changed(data, rng)
    return repair(data) if rng.random() < 0.95 else data


def repair(data: bytes) -> bytes:
    """Return the file with correct checksums of the superblock and the object headers."""
    buffer = bytearray(data)
    if len(buffer) >= 48 and buffer[8] in (2, 3):
        _seal(buffer, 0, 44)
    for found in re.finditer(b"OHDR", data):
        start = found.start()
        size = _header_bytes(data, start)
        if size is not None and start + size + 4 <= len(data):
            _seal(buffer, start, start + size)
    return bytes(buffer)


def lookup3(data: bytes) -> int:
    """Jenkins' hashlittle with an initial value of 0.

    >>> hex(lookup3(b"Four score and seven years ago"))
    '0x17770551'
    """
    a = b = c = (0xDEADBEEF + len(data)) & _MASK
    place = 0
    while len(data) - place > 12:
        a = (a + int.from_bytes(data[place : place + 4], "little")) & _MASK
        b = (b + int.from_bytes(data[place + 4 : place + 8], "little")) & _MASK
        c = (c + int.from_bytes(data[place + 8 : place + 12], "little")) & _MASK
        a, b, c = _mixed(a, b, c)
        place += 12
    rest = data[place:]
    if not rest:
        return c
    a = (a + int.from_bytes(rest[:4], "little")) & _MASK
    b = (b + int.from_bytes(rest[4:8], "little")) & _MASK
    c = (c + int.from_bytes(rest[8:12], "little")) & _MASK
    for x, y, turn in (
        (2, 1, 14),
        (0, 2, 11),
        (1, 0, 25),
        (2, 1, 16),
        (0, 2, 4),
        (1, 0, 14),
        (2, 1, 24),
    ):
        state = [a, b, c]
        state[x] = ((state[x] ^ state[y]) - _turned(state[y], turn)) & _MASK
        a, b, c = state
    return c


def _mixed(a: int, b: int, c: int) -> tuple[int, int, int]:
    a = ((a - c) & _MASK) ^ _turned(c, 4)
    c = (c + b) & _MASK
    b = ((b - a) & _MASK) ^ _turned(a, 6)
    a = (a + c) & _MASK
    c = ((c - b) & _MASK) ^ _turned(b, 8)
    b = (b + a) & _MASK
    a = ((a - c) & _MASK) ^ _turned(c, 16)
    c = (c + b) & _MASK
    b = ((b - a) & _MASK) ^ _turned(a, 19)
    a = (a + c) & _MASK
    c = ((c - b) & _MASK) ^ _turned(b, 4)
    b = (b + a) & _MASK
    return a, b, c


def _turned(value: int, by: int) -> int:
    return ((value << by) | (value >> (32 - by))) & _MASK


def _seal(buffer: bytearray, start: int, end: int) -> None:
    buffer[end : end + 4] = lookup3(bytes(buffer[start:end])).to_bytes(4, "little")


def _header_bytes(data: bytes, start: int) -> int | None:
    """Return the number of bytes of an object header before its checksum."""
    if len(data) < start + 30 or data[start + 4] != 2:
        return None
    flags = data[start + 5]
    place = start + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    size = int.from_bytes(data[place : place + width], "little")
    return place + width + size - start


def _changed(data: bytes, rng: Random) -> bytes:
    """Return the bytes with one field changed, usually near the start of a structure."""
    if len(data) < 64:
        return data
    starts = [0, *(found.start() for found in _SIGNATURES.finditer(data))]
    if rng.random() < 0.85:
        place = rng.choice(starts) + rng.randrange(4, 240)
    else:
        place = rng.randrange(8, len(data))
    place = min(place, len(data) - 9)
    match rng.randrange(8):
        case 0:
            new = bytes([data[place] ^ (1 << rng.randrange(8))])
        case 1 | 2:
            new = bytes([rng.choice(_EDGES)])
        case 3:
            new = rng.choice(_EDGES + _WIDE[:1]).to_bytes(2, "little")
        case 4:
            new = (rng.choice(_EDGES + _WIDE) & _MASK).to_bytes(4, "little")
        case 5:
            new = rng.choice((*_EDGES, *_WIDE, len(data), *starts)).to_bytes(8, "little")
        case 6:
            # An address or a message of somewhere else.
            other = rng.choice(starts) + rng.randrange(200)
            new = data[other : other + rng.choice((1, 2, 4, 8, 16))]
        case _:
            new = bytes([(data[place] + rng.choice((1, -1, 2, -2, 8, -8))) % 256])
    return data[:place] + new + data[place + len(new) :]
