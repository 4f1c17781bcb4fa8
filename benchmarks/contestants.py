"""Ways from the files of a round to the scores of its participants, each in its usual style.

A contestant is a function that imports what it needs and returns what is timed. A new one is
a function here and a line in `CONTESTANTS`.
"""

import mmap
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.tasks import Range, Task

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Float64 = npt.NDArray[np.float64]

# The score of each participant in id order, by layer.
Scores = dict[str, list[int]]
Run = Callable[[], Scores]

# Of fragments of shape (n·m, d), how far each is from what is usual.
Distance = Callable[["Float64"], "Float64"]

# The detector that `ariba audit` takes when none is named, and its level.
PANEL = ("panel",)
_LEVEL = 0.05

_PAGE = mmap.PAGESIZE
_PIECE = 2**20


def pread(task: Task) -> Run:
    """Return the yardstick: the bytes of the layers into a small buffer, by one thread.

    They come to lie as they do in the page of the file: some processors copy several times as
    slowly to a place that is a few bytes further on in its page.
    """
    ranges = task.ranges
    memory = memoryview(mmap.mmap(-1, _PIECE + _PAGE))

    def read(path: Path, start: int, length: int) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            stop = start + length
            while start < stop:
                place = start % _PAGE
                size = min(_PIECE, stop - start)
                start += os.preadv(descriptor, [memory[place : place + size]], start)
        finally:
            os.close(descriptor)

    def run() -> Scores:
        for one in ranges:
            read(*one)
        return {}

    return run


def hashing(task: Task) -> Run:
    """Return the other yardstick: reading like `pread`, and SHA-256, by a thread for each core."""
    import hashlib
    from concurrent.futures import ThreadPoolExecutor

    ranges, cores = task.ranges, len(os.sched_getaffinity(0))

    def read(some: Sequence[Range]) -> None:
        memory = memoryview(mmap.mmap(-1, _PIECE))
        for path, start, length in some:
            digest, descriptor = hashlib.sha256(), os.open(path, os.O_RDONLY)
            try:
                for place in range(0, length, _PIECE):
                    piece = memory[: min(_PIECE, length - place)]
                    os.preadv(descriptor, [piece], start + place)
                    digest.update(piece)
            finally:
                os.close(descriptor)

    def run() -> Scores:
        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(read, [ranges[core::cores] for core in range(cores)]))
        return {}

    return run


def ours(task: Task) -> Run:
    """Return `ariba audit` without its command line: from opening the round to the ranking."""
    from ariba_cli.auditing.audit import audit
    from ariba_cli.auditing.settings import AuditSettings, KEst
    from ariba_cli.detectors import make_detectors
    from ariba_cli.rounds.directory import open_round
    from ariba_cli.scoring.devices import DeviceChoice

    settings = AuditSettings(
        layers=() if task.whole else task.layers,
        k_est=KEst.parse(task.k_est),
        level=_LEVEL if task.detectors == PANEL else None,
        detectors=make_detectors(task.detectors, device=DeviceChoice(task.device)),
    )

    def run() -> Scores:
        verdict = audit(open_round(Path(task.root)), settings)
        return {result.layer: list(result.scores.values()) for result in verdict.marked_layers}

    return run


def plain_numpy(task: Task) -> Run:
    """Return the way by `np.cov` and `einsum`."""
    import numpy as np

    def distance(rows: "Float64") -> "Float64":
        inverse = np.linalg.inv(np.cov(rows, rowvar=False))
        found: Float64 = np.sqrt(np.einsum("ij,jk,ik->i", rows, inverse, rows))
        return found

    return _by_fragments(task, distance)


def scipy_cdist(task: Task) -> Run:
    """Return `scipy.spatial.distance.cdist` from the mean, with the inverse of `np.cov`."""
    import numpy as np
    from scipy.spatial.distance import cdist

    def distance(rows: "Float64") -> "Float64":
        inverse = np.linalg.inv(np.cov(rows, rowvar=False))
        mean = rows.mean(axis=0, keepdims=True)
        found: Float64 = cdist(rows, mean, "mahalanobis", VI=inverse)
        return found[:, 0]

    return _by_fragments(task, distance)


def sklearn_covariance(task: Task) -> Run:
    """Return scikit-learn's `EmpiricalCovariance`, whose distances are squared."""
    from sklearn.covariance import EmpiricalCovariance

    def distance(rows: "Float64") -> "Float64":
        found: Float64 = EmpiricalCovariance().fit(rows).mahalanobis(rows)
        return found

    return _by_fragments(task, distance)


def pyod_pca(task: Task) -> Run:
    """Return PyOD's `PCA` with its defaults."""
    from pyod.models.pca import PCA

    return _by_fragments(task, lambda rows: _decisions(PCA(random_state=0), rows))


def pyod_ecod(task: Task) -> Run:
    """Return PyOD's `ECOD` with its defaults."""
    from pyod.models.ecod import ECOD

    return _by_fragments(task, lambda rows: _decisions(ECOD(), rows))


def pyod_iforest(task: Task) -> Run:
    """Return PyOD's `IForest` with its defaults."""
    from pyod.models.iforest import IForest

    return _by_fragments(task, lambda rows: _decisions(IForest(random_state=0), rows))


def _decisions(model: Any, rows: "Float64") -> "Float64":
    found: Float64 = model.fit(rows).decision_scores_
    return found


def _by_fragments(task: Task, distance: Distance) -> Run:
    """Return a run that reads, centres, cuts into kernels, and marks the k_est·m most distant."""
    import numpy as np
    from safetensors import safe_open

    def tensor(path: Path, layer: str) -> "npt.NDArray[np.float32]":
        with safe_open(path, framework="numpy") as file:
            found: npt.NDArray[np.float32] = file.get_tensor(layer)
            return found

    def run() -> Scores:
        scores = {}
        for layer in task.layers:
            updates = np.stack([tensor(path, layer) for path in task.files]).astype(np.float64)
            updates -= updates.mean(axis=0)
            participants, kernels = len(updates), updates.shape[1] * updates.shape[2]
            found = distance(updates.reshape(participants * kernels, -1))
            unmarked = found.size - task.k_est * kernels
            cut = np.partition(found, unmarked)[unmarked]
            marks = (found >= cut).reshape(participants, kernels)
            scores[layer] = [int(score) for score in marks.sum(axis=1)]
        return scores

    return run


def card_copy(task: Task) -> Run:
    """Return the limit of a graphics card: the bytes of the layers, copied in its memory."""
    import torch

    held = torch.zeros(task.bytes, dtype=torch.uint8, device="cuda")
    copy = torch.empty_like(held)

    def run() -> Scores:
        copy.copy_(held)
        torch.cuda.synchronize()
        return {}

    return run


# They only move the bytes.
YARDSTICKS: Mapping[str, Callable[[Task], Run]] = {
    "pread": pread,
    "hashing": hashing,
    "card-copy": card_copy,
}
# The others are held against ours.
CONTESTANTS: Mapping[str, Callable[[Task], Run]] = {
    "ours": ours,
    "sklearn": sklearn_covariance,
    "cdist": scipy_cdist,
    "numpy": plain_numpy,
    "pyod-pca": pyod_pca,
    "pyod-ecod": pyod_ecod,
    "pyod-iforest": pyod_iforest,
}
# They find other marks, by another method.
OTHER_METHODS = frozenset({"pyod-pca", "pyod-ecod", "pyod-iforest"})
