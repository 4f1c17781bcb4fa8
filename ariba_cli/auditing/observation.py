"""The observation that a history keeps of a round: a few numbers for each participant."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ariba_cli.auditing.decisions import with_ids
from ariba_cli.auditing.detection import Detected
from ariba_cli.base.medians import median_of
from ariba_cli.scoring.update_statistics import Float64, centred
from ariba_cli.verdicts.ranked import Reason

# Whoever is less likely gives reasons, whether or not it is named.
_UNLIKELY = 0.05


@dataclass(frozen=True)
class Observation:
    """The numbers observed in a round.

    Attributes
    ----------
    ids : tuple of str
        The participants who were judged, in id order.
    p_values : float64 array of shape (n,)
        The p-values of the detector that decides.
    lengths : float64 array of shape (n,)
        ‖δ_i‖ divided by their median; by the largest, where that is zero.
    gram : float64 array of shape (n, n)
        ⟨δ_i, δ_j⟩ divided by the square of the same.
    reasons : dict of str to tuple of Reason
        The signs against all who are unlikely.
    """

    ids: tuple[str, ...]
    p_values: Float64
    lengths: Float64
    gram: Float64
    reasons: Mapping[str, tuple[Reason, ...]]


def observe(decides: Detected) -> Observation | None:
    """Return the observation to keep; None without p-values, or where nobody can be told apart."""
    scores, updates = decides.scores, decides.updates
    if scores is None or scores.p_values is None or updates is None or not decides.result.scores:
        return None
    total = updates.total
    gram = total.gram if total.from_global else centred(total.gram)
    norms = np.sqrt(np.maximum(np.diagonal(gram), 0.0))
    # Where most sent nothing, there is no usual length.
    usual = median_of(norms) or float(norms.max()) or 1.0
    unlikely = [place for place, p in enumerate(scores.p_values) if p <= _UNLIKELY]
    return Observation(
        ids=decides.ids,
        p_values=np.array(scores.p_values),
        lengths=norms / usual,
        gram=gram / usual / usual,
        reasons=with_ids(scores.reasons(unlikely), decides.ids),
    )
