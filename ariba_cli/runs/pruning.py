"""Neuron pruning: a backdoor is sought in channels that clean images leave dormant.

Wu, Yang, Zhu and Mitra, "Mitigating backdoor attacks in federated learning", 2020. Every
participant says which channels of the last convolution its own samples leave dormant; the server
removes these one by one, and then the extreme weights of that layer, as long as the accuracy holds.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import UsageError
from ariba_cli.base.progress import Progress, no_progress
from ariba_cli.federated.federation import Federation, Place
from ariba_cli.federated.models import Weights
from ariba_cli.federated.quality import labels_said
from ariba_cli.files.atomic import write_atomically
from ariba_cli.formats import ENCODERS
from ariba_cli.formats.model import ReadOptions
from ariba_cli.runs.run_file import Run
from ariba_cli.runs.run_model import open_run_model, read_weights

# A participant votes for this share of the channels.
_VOTED_FOR = 0.5
# Weights are extreme that are farther from the mean than so many standard deviations: at first the
# most, and each time a step less.
_MOST_DEVIATIONS, _LEAST_DEVIATIONS, _STEP = 6.0, 1.0, 0.25


class Ranking(StrEnum):
    """The way in which participants agree which channels are dormant."""

    RAP = "rap"
    """By the mean of the ranks of a channel."""
    MVP = "mvp"
    """By the number of participants that have a channel in the dormant half."""


@dataclass(frozen=True)
class Pruned:
    """The outcome of pruning.

    Attributes
    ----------
    layer : str
        The last convolution.
    channels : int
        The number of its channels.
    removed : tuple of int
        Those that were removed, in this order.
    deviations : float, optional
        The number of standard deviations beyond which weights were set to zero; None for none.
    zeroed : int
        The number of these weights.
    before, after : float
        The accuracy on the samples of all participants.
    """

    layer: str
    channels: int
    removed: tuple[int, ...]
    deviations: float | None
    zeroed: int
    before: float
    after: float


def prune_model(
    path: Path,
    run: Run,
    out: Path,
    *,
    ranking: Ranking = Ranking.RAP,
    most_lost: float = 0.01,
    place: Place | None = None,
    terms: ReadOptions | None = None,
    progress: Progress = no_progress,
) -> Pruned:
    """Prune a model of a run, and write it to the new file `out` as safetensors.

    Parameters
    ----------
    path : Path
        The model.
    run : Run
        Its run, whose participants' own samples say what is dormant, and measure the accuracy.
    out : Path
        The file to write.
    ranking : Ranking
        The way in which participants agree.
    most_lost : float
        The most accuracy that each of the two steps may cost, in [0, 1].
    place : Place, optional
        Where data sets are, and what computes.
    terms : ReadOptions, optional
        The terms on which the model is read.
    progress : Progress
        A callback that receives the number of channels that have been tried.

    Raises
    ------
    UsageError
        When the network has no convolution to prune.
    InputError
        When the model cannot be read or is of another network, or the data are not those of the
        run.
    """
    if run.settings.lora is not None:
        raise UsageError(
            "the run trains adapters, which have no channels; prune a model of a whole network"
        )
    model = open_run_model(path, run, terms or ReadOptions())
    with run.federation(place) as federation:
        layer = federation.architecture.last_convolution
        if layer is None:
            raise UsageError(
                f"the {federation.architecture.name} of the run has no convolution that leads to "
                "ReLU alone; neuron pruning needs one, such as that of --model cnn"
            )
        run.check_data(federation)
        weights, _ = read_weights(path, model, federation.architecture)
        pruning = _Pruning(federation, weights, layer, most_lost)
        before = pruning.accuracy(weights)
        removed = pruning.remove_dormant(ranking, progress)
        deviations, zeroed = pruning.zero_extreme()
        write_atomically(out, [ENCODERS["safetensors"].encode(pruning.weights)])
        return Pruned(
            layer=layer,
            channels=len(weights[f"{layer}.weight"]),
            removed=removed,
            deviations=deviations,
            zeroed=zeroed,
            before=before,
            after=pruning.accuracy(pruning.weights),
        )


class _Pruning:
    """The weights, as long as the accuracy holds."""

    def __init__(
        self, federation: Federation, weights: Weights, layer: str, most_lost: float
    ) -> None:
        self._federation = federation
        self._layer = layer
        self._names = f"{layer}.weight", f"{layer}.bias"
        self._samples = [federation.samples(name) for name in federation.ids]
        self.weights = weights
        self._most_lost = most_lost

    def accuracy(self, weights: Weights) -> float:
        """Return the share of all participants' samples that a model gets right."""
        right = total = 0
        for images, labels in self._samples:
            said = labels_said(self._federation.engine.logits(weights, images))
            right += int(np.count_nonzero(said == labels))
            total += len(labels)
        return right / total

    def remove_dormant(self, ranking: Ranking, progress: Progress) -> tuple[int, ...]:
        """Remove the most dormant channels, and return them."""
        engine, held = self._federation.engine, [one for one, _ in self._samples if len(one)]
        active = np.array([engine.activations(self.weights, one, self._layer) for one in held])
        least = self.accuracy(self.weights) - self._most_lost
        removed: list[int] = []
        order = by_dormancy(active, ranking).tolist()
        for channel in order[:-1]:
            progress("pruning", len(removed), len(order))
            tried = {name: values.copy() for name, values in self.weights.items()}
            for name in self._names:
                tried[name][channel] = 0
            if not self._holds(tried, least):
                break
            removed.append(channel)
        return tuple(removed)

    def zero_extreme(self) -> tuple[float | None, int]:
        """Set weights far from the mean to zero; return how far these are, and their number."""
        kernel, _ = self._names
        values = self.weights[kernel].astype(np.float64)
        left = values[values != 0]
        apart = (
            np.abs(values - left.mean()) / left.std() if left.size and left.std() else values * 0
        )
        least = self.accuracy(self.weights) - self._most_lost
        found: tuple[float | None, int] = (None, 0)
        for limit in np.arange(_MOST_DEVIATIONS, _LEAST_DEVIATIONS - _STEP, -_STEP).tolist():
            extreme = (apart > limit) & (values != 0)
            count = int(np.count_nonzero(extreme))
            if count == found[1]:
                continue
            tried = self.weights | {kernel: np.where(extreme, np.float32(0), self.weights[kernel])}
            if not self._holds(tried, least):
                break
            found = limit, count
        return found

    def _holds(self, tried: Weights, least: float) -> bool:
        """Keep weights that have the least accuracy."""
        if self.accuracy(tried) < least:
            return False
        self.weights = tried
        return True


def by_dormancy(active: npt.NDArray[np.floating], ranking: Ranking) -> npt.NDArray[np.intp]:
    """Return the channels, the most dormant first.

    Parameters
    ----------
    active : float array of shape (participants, channels)
        The mean activation of each channel on each participant's samples.
    ranking : Ranking
        The way in which participants agree. Of two that they rank alike, the first is before.
    """
    ranks = np.argsort(np.argsort(active, axis=1, kind="stable"), axis=1, kind="stable")
    if ranking is Ranking.RAP:
        return np.argsort(ranks.sum(axis=0), kind="stable")
    votes = (ranks < _VOTED_FOR * active.shape[1]).sum(axis=0)
    return np.argsort(-votes, kind="stable")
