"""Published rules that leave updates out, in their original form: no level, no ranking.

Each takes the updates of a round and says whom it would leave out. They are written from the
papers; where a paper leaves something open, its authors' code decides, or what most others do.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Out = npt.NDArray[np.bool_]

_TINY = 1e-12
# Equal updates differ by that in float32.
_ROUNDING = 1e-6
# AlignIns: of so many of the largest coordinates the signs count, and so far from the median,
# in standard deviations, both of its measures may be.
_LARGEST, _MOST_DEVIATION = 0.3, 1.0
# SignGuard: norms relative to the median, and the share of coordinates whose signs are counted.
_SHORTEST, _LONGEST = 0.1, 3.0
_SIGNS_OF = 0.1
_QUANTILE, _SAMPLES = 0.5, 50
_SEED = 0


@dataclass(frozen=True)
class Sent:
    """The data that a server has.

    Attributes
    ----------
    model : float32 array of shape (P,)
        The global model.
    updates : float32 array of shape (n, P)
        θ_i − θ^t of each participant.
    output : slice
        The place of the output layer in them; all of them where it is not sent.
    """

    model: Float32
    updates: Float32
    output: slice


def alignins(sent: Sent) -> Out:
    """Apply AlignIns (Xu et al., CVPR 2025, arXiv 2503.07978).

    Out are those whose cosine with the global model, or whose share of signs in common with the
    majority among their own largest coordinates, is a standard deviation or more from the median.
    """
    model = sent.model / max(float(np.linalg.norm(sent.model)), _TINY)
    lengths = np.maximum(np.linalg.norm(sent.updates, axis=1), _TINY)
    cosines = sent.updates @ model / lengths
    majority = np.sign(np.sign(sent.updates).sum(axis=0))
    count = max(1, int(_LARGEST * sent.updates.shape[1]))
    shares = []
    for update in sent.updates:
        largest = np.argpartition(-np.abs(update), count - 1)[:count]
        shares.append(np.mean(np.sign(update[largest]) == majority[largest]))
    found: Out = _far(cosines) | _far(np.array(shares))
    return found


def flame(sent: Sent) -> Out:
    """Apply FLAME's filter (Nguyen et al., USENIX Security 2022, arXiv 2101.02281).

    Out are those outside the one cluster of more than half of the models by their cosines.
    """
    return ~_largest_cluster(sent.model + sent.updates)


def freqfed(sent: Sent) -> Out:
    """Apply FreqFed (Fereidooni et al., NDSS 2024, arXiv 2312.04432).

    It is FLAME's filter on the lower half of the discrete cosine transform of the output layer's
    weights.
    """
    from scipy.fft import dct

    weights = (sent.model + sent.updates)[:, sent.output]
    frequencies = dct(weights, axis=1, norm="ortho")
    return ~_largest_cluster(frequencies[:, : max(1, frequencies.shape[1] // 2)])


def signguard(sent: Sent) -> Out:
    """Apply SignGuard (Xu et al., ICDCS 2022, arXiv 2109.05872).

    Out are those of an unusual length, and those outside the largest cluster by the shares of
    positive, zero and negative coordinates, in a randomly drawn stretch of a tenth of all.
    """
    from sklearn.cluster import MeanShift, estimate_bandwidth

    lengths = np.linalg.norm(sent.updates, axis=1)
    relative = lengths / max(float(np.median(lengths)), _TINY)
    out: Out = (relative <= _SHORTEST) | (relative >= _LONGEST)
    values = sent.updates.shape[1]
    count = max(1, int(_SIGNS_OF * values))
    start = int(np.random.default_rng(_SEED).integers(0, values - count + 1))
    signs = np.sign(sent.updates[:, start : start + count])
    shares = np.stack([np.mean(signs == sign, axis=1) for sign in (1, 0, -1)], axis=1)
    features = shares / (shares.max(axis=0) + 1e-8)
    width = estimate_bandwidth(features, quantile=_QUANTILE, n_samples=_SAMPLES, random_state=_SEED)
    if width <= 0:
        return out
    labels = MeanShift(bandwidth=width, bin_seeding=True, cluster_all=False).fit(features).labels_
    if (labels < 0).all():
        return np.ones(len(labels), dtype=bool)
    kept = np.argmax(np.bincount(labels[labels >= 0]))
    out |= labels != kept
    return out


RULES: dict[str, Callable[[Sent], Out]] = {
    "alignins": alignins,
    "flame": flame,
    "freqfed": freqfed,
    "signguard": signguard,
}


def _far(values: npt.NDArray[np.floating]) -> Out:
    spread = float(np.std(values))
    if spread < _ROUNDING:
        return np.zeros(len(values), dtype=bool)
    found: Out = np.abs(values - np.median(values)) / spread >= _MOST_DEVIATION
    return found


def _largest_cluster(vectors: Float32) -> Out:
    """Return the members of the cluster of more than half, by cosine distance; all without one."""
    from sklearn.cluster import HDBSCAN

    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _TINY)
    distances = np.clip(1 - units.astype(np.float64) @ units.T.astype(np.float64), 0, None)
    np.fill_diagonal(distances, 0.0)
    clustering = HDBSCAN(
        min_cluster_size=len(vectors) // 2 + 1,
        min_samples=1,
        metric="precomputed",
        allow_single_cluster=True,
        copy=True,
    )
    labels = clustering.fit(distances).labels_
    inside: Out = labels >= 0
    return inside if inside.any() else np.ones(len(vectors), dtype=bool)
