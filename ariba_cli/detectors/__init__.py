"""Detectors, one file each: the updates of a layer → a score per participant.

A new detector is a file here, a line in `DETECTORS`, and a row in the test that covers
all detectors.
"""

from typing import Protocol

from ariba_cli.detectors import mahalanobis
from ariba_cli.fragments import Fragments
from ariba_cli.scoring.marks import Marks


class Detector(Protocol):
    """Scores participants by one layer of their updates."""

    def __call__(self, fragments: Fragments, k_est: int) -> Marks:
        """Score the fragments of n participants, in id order; k_est is k̃."""
        ...


DETECTORS: dict[str, Detector] = {"mahalanobis": mahalanobis.detect}
