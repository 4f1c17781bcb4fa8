"""The files in the page cache, and their eviction from it without root."""

import ctypes
import mmap
import os
from collections.abc import Iterable
from pathlib import Path


def evict(paths: Iterable[Path]) -> None:
    """Ask the kernel to drop the pages of these files."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            # What is not on disk yet cannot be forgotten.
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def resident(paths: Iterable[Path]) -> float:
    """Return the share of the pages of these files that are in memory, as mincore(2) says."""
    held = total = 0
    for path in paths:
        pages = _pages(path)
        held += sum(page & 1 for page in pages)
        total += len(pages)
    return held / total if total else 0.0


def _pages(path: Path) -> bytes:
    """Return a byte per page, whose lowest bit says if it is in memory."""
    size = path.stat().st_size
    libc = ctypes.CDLL(None, use_errno=True)
    flags, protection = mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), size, flags, protection) as mapped:
        found = (ctypes.c_ubyte * -(-size // mmap.PAGESIZE))()
        start = ctypes.c_char.from_buffer(mapped)
        failed = libc.mincore(ctypes.byref(start), ctypes.c_size_t(size), found)
        # The map cannot be closed as long as something points into it.
        del start
        if failed:
            raise OSError(ctypes.get_errno(), "mincore")
        return bytes(found)
