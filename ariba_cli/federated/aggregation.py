"""How the server makes the next global model."""

from collections.abc import Sequence

import numpy as np

from ariba_cli.federated.models import Weights


def fedavg(global_weights: Weights, updates: Sequence[Weights], eta: float) -> Weights:
    """θ + (η/n) Σ_i (θ_i − θ), in float64 (arXiv 2202.04311, Eq. 1)."""
    averaged = {}
    for name, weights in global_weights.items():
        start = weights.astype(np.float64)
        total = np.zeros_like(start)
        for update in updates:
            total += update[name] - start
        averaged[name] = (start + eta / len(updates) * total).astype(np.float32)
    return averaged
