"""Model replacement (Bagdasaryan et al. 2020; arXiv 2202.04311, Eqs. 3 and 4)."""

import numpy as np

from ariba_cli.federated.models import Weights


def replacement(global_weights: Weights, trained: Weights, sigma_i: float) -> Weights:
    """θ̂_i = θ^t + σ_i (θ_i − θ^t): with Σ_i σ_i = n/η averaging puts θ_i in the place of θ^t."""
    boosted = {}
    with np.errstate(over="ignore"):
        for name, weights in global_weights.items():
            start = weights.astype(np.float64)
            boosted[name] = (start + sigma_i * (trained[name] - start)).astype(np.float32)
    return boosted
