"""The method in plain float64 NumPy, as `Σ⁺` by eigendecomposition: what is right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Expected:
    """The results that every engine must find."""

    scores: list[int]
    rank: int
    cut_distance: float
    margin: float
    condition: float


def oracle(
    tensors: Sequence[npt.NDArray[np.floating]], fragments: int, dimension: int, k_est: int
) -> Expected:
    """Algorithms 1 and 2 of arXiv 2202.04311, line by line."""
    theta = np.stack([np.ravel(tensor) for tensor in tensors]).astype(np.float64)
    centred = theta - theta.mean(axis=0)
    rows = centred[:, : fragments * dimension].reshape(-1, dimension)
    eigenvalues, eigenvectors = np.linalg.eigh(rows.T @ rows / len(rows))
    kept = eigenvalues > eigenvalues.max() * dimension * np.finfo(np.float64).eps
    projected = rows @ eigenvectors[:, kept]
    distances = np.sqrt((projected**2 / eigenvalues[kept]).sum(axis=1))
    order = np.argsort(-distances, kind="stable")
    marked = k_est * fragments
    marks = np.zeros(len(rows), dtype=int)
    marks[order[:marked]] = 1
    cut, following = distances[order[marked - 1]], distances[order[marked]]
    return Expected(
        scores=marks.reshape(len(tensors), fragments).sum(axis=1).tolist(),
        rank=int(kept.sum()),
        cut_distance=float(cut),
        margin=float((cut - following) / cut) if cut > 0 else 0.0,
        condition=float(eigenvalues.max() / eigenvalues[kept].min()) if kept.any() else np.inf,
    )
