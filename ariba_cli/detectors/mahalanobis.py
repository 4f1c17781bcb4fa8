"""ARIBA (arXiv 2202.04311, Algorithms 1 and 2): marks by Mahalanobis distance."""

from ariba_cli.fragments import Fragments
from ariba_cli.scoring import Scorer, engine
from ariba_cli.scoring.marks import Marks


def detect(fragments: Fragments, k_est: int, *, scorer: Scorer = engine.score) -> Marks:
    """Score participants by how many of their fragments are marked; see `Detector`."""
    return scorer(fragments, k_est)
