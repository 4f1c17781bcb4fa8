"""FoolsGold: the similarity of an update to the most similar one, pardoned for the honest."""

import numpy as np

from ariba_cli.detectors.declaration import Declaration, Need, Scope, UpdateFamily
from ariba_cli.scoring.update_statistics import Float64, UpdateStatistics, cosines

DECLARATION = Declaration(
    name="foolsgold",
    scope=Scope.UPDATE,
    summary="the cosine to the most similar update; attackers who collude point the same way",
    equation="max_j cs_ij, times v_i/v_j where v_j > v_i and v_j > 0; v_i = max_j cs_ij",
    source="Fung et al., The limitations of federated learning in Sybil settings, 2020",
    score="pardoned cosine",
    needs=frozenset({Need.GLOBAL_MODEL}),
)


def foolsgold_scores(statistics: UpdateStatistics) -> Float64:
    """Return the largest pardoned cosine of each; FoolsGold's weight falls with it.

    The choice of indicative features is left out; `foolsgold-memory` remembers earlier rounds.
    """
    return pardoned(cosines(statistics.gram))


def pardoned(alike: Float64) -> Float64:
    """Return the largest pardoned cosine of each, from the cosines of all pairs."""
    found = alike.copy()
    np.fill_diagonal(found, -np.inf)
    largest = found.max(axis=1)
    ratios = np.divide(largest[:, None], largest, out=np.ones_like(found), where=largest != 0)
    found = np.where((largest > largest[:, None]) & (largest > 0), found * ratios, found)
    np.fill_diagonal(found, -np.inf)
    scores: Float64 = found.max(axis=1)
    return scores


FAMILY = UpdateFamily(DECLARATION, foolsgold_scores)
