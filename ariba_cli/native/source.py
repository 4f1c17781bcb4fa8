"""What the kernels are made of, and for which processors."""

import hashlib
from pathlib import Path

SOURCE = Path(__file__).with_name("kernels.c")
LIBRARY = Path(__file__).with_name("kernels.so")

# From the one that every processor has; `level()` in the library numbers them.
LEVELS = ("baseline", "avx2", "avx512", "avx512ifma")


def source_hash() -> str:
    """Return the SHA-256 of the source, by which a library that is out of date is known."""
    return hashlib.sha256(SOURCE.read_bytes()).hexdigest()
