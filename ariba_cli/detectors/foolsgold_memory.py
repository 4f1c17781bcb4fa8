"""FoolsGold with memory: the similarity of two participants' updates over all their rounds."""

import numpy as np

from ariba_cli.detectors.declaration import Declaration, HistoryDetector, Scope, Scores
from ariba_cli.detectors.foolsgold import pardoned
from ariba_cli.scoring.over_rounds import OverRounds

DECLARATION = Declaration(
    name="foolsgold-memory",
    scope=Scope.HISTORY,
    summary="the cosine to the participant with the most similar updates over all rounds",
    equation="as foolsgold, with cs_ij the cosine of what i and j sent in their common rounds, "
    "one round behind the other",
    source="Fung et al., The limitations of federated learning in Sybil settings, 2020",
    score="pardoned cosine",
)


def foolsgold_memory(rounds: OverRounds) -> Scores:
    """Return the largest pardoned cosine of each participant, over its updates of all rounds.

    The publication adds up the updates of each participant, and compares the sums. Here the
    inner products of each round are added up, so that no update is kept: two who are alike by
    chance in one round, and unlike in the next, are unlike.
    """
    lengths = np.sqrt(np.maximum(rounds.squares * rounds.squares.T, 0.0))
    cosines = np.divide(
        rounds.gram, lengths, out=np.zeros_like(rounds.gram), where=lengths > 0
    ).clip(-1.0, 1.0)
    return Scores(total=pardoned(cosines), by_layer={}, parameters={}, details={})


FAMILY = HistoryDetector(DECLARATION, foolsgold_memory)
