"""Positions of values in a tensor."""

from collections.abc import Iterator

import numpy as np

from ariba_cli.updates.fragments import Indices


def runs(positions: Indices) -> Iterator[tuple[int, int]]:
    """Return each run of consecutive positions as its first one and the one after its last."""
    breaks = np.flatnonzero(np.diff(positions) != 1)
    starts = positions[np.append(0, breaks + 1)]
    stops = positions[np.append(breaks, len(positions) - 1)] + 1
    return zip(starts.tolist(), stops.tolist(), strict=True)
