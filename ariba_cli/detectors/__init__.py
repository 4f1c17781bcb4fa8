"""Detectors, one file each: the updates of a layer → a score per participant.

A new detector is a file here, a line in `DETECTORS`, and a row in the test that covers
all detectors.
"""

from collections.abc import Sequence
from typing import Protocol

from ariba_cli.detectors import mahalanobis
from ariba_cli.fragments import Cut, Flat
from ariba_cli.scoring.marks import Marks


class Detector(Protocol):
    """Scores participants by one layer of their updates."""

    def __call__(self, tensors: Sequence[Flat], cut: Cut, k_est: int) -> Marks:
        """Score the values of n tensors, in id order, cut into fragments; k_est is k̃."""
        ...


DETECTORS: dict[str, Detector] = {"mahalanobis": mahalanobis.detect}
