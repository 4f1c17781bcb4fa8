"""FoolsGold: participants who are most alike count least."""

import numpy as np

from ariba_cli.aggregation.rules.declaration import Choice, Declaration, Float64, Need, Rule
from ariba_cli.aggregation.updates import RoundUpdates
from ariba_cli.detectors.foolsgold import foolsgold_scores

DECLARATION = Declaration(
    name="foolsgold",
    summary="updates that point the same way count less, down to nothing",
    equation="Σ α_i c_i δ_i / Σ α_i c_i; α_i = 1 − max_j cs_ij, pardoned, by the largest of all, "
    "then ln(α_i/(1 − α_i)) + ½, clipped to 0 … 1",
    source="Fung et al., The limitations of federated learning in Sybil settings, 2020",
    fails="a single attacker resembles nobody, and counts most; where participants have alike "
    "data, honest updates resemble each other, and count little. Unlike the publication, the rule "
    "remembers no earlier rounds, and compares all trained tensors, not only the last layer",
    needs=frozenset({Need.GLOBAL_MODEL}),
    fewest=2,
    by_samples=True,
)

# Where the logit is cut off, so that it is finite.
_MOST = 0.99


def foolsgold_weights(scores: Float64) -> Float64:
    """Return α of each, in [0, 1], from the largest pardoned cosines.

    Parameters
    ----------
    scores : float64 array of shape (n,)
        The largest pardoned cosines, in [−1, 1].
    """
    alpha = np.clip(1 - scores, 0.0, 1.0)
    largest = float(alpha.max(initial=0.0))
    if largest == 0:
        return alpha
    alpha = np.minimum(alpha / largest, _MOST)
    with np.errstate(divide="ignore"):
        logits = np.log(alpha / (1 - alpha)) + 0.5
    found: Float64 = np.clip(logits, 0.0, 1.0)
    return found


def choose(updates: RoundUpdates) -> Choice:
    """Weigh everybody by its dissimilarity to the others."""
    weights = foolsgold_weights(foolsgold_scores(updates.whole)) * updates.samples
    return Choice(weights, float(weights.sum()))


RULE = Rule(DECLARATION, choose)
