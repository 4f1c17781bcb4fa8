"""Seeds derived from their purpose, never carried along."""

import hashlib


def derived_seed(seed: int, purpose: str, *, round_number: int = 0, participant: int = 0) -> int:
    """Return a 63-bit seed that depends on the run's seed and the other arguments alone.

    >>> derived_seed(0, "partition") == derived_seed(0, "partition", round_number=1)
    False
    """
    label = f"{seed}/{purpose}/{round_number}/{participant}".encode()
    return int.from_bytes(hashlib.sha256(label).digest()[:8], "big") >> 1
