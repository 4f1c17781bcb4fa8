"""The quality of a model on labelled images."""

from dataclasses import dataclass

import numpy as np

from ariba_cli.federated.datasets import FloatArray, LabelArray


@dataclass(frozen=True)
class Quality:
    """The quality of a model on labelled images.

    Attributes
    ----------
    accuracy : float
        The share that it gets right, in [0, 1].
    loss : float
        The mean cross-entropy, in nats; infinite for a model that is not finite.
    """

    accuracy: float
    loss: float


def quality_of(logits: FloatArray, labels: LabelArray) -> Quality:
    """Return the quality, from logits of shape (samples, classes) and the labels."""
    from scipy.special import logsumexp

    wide = logits.astype(np.float64)
    right = wide[np.arange(len(labels)), labels]
    with np.errstate(invalid="ignore"):
        loss = float(np.mean(logsumexp(wide, axis=1) - right))
    return Quality(agreement(logits, labels), loss if np.isfinite(loss) else np.inf)


def agreement(logits: FloatArray, labels: LabelArray) -> float:
    """Return the share of images that a model gives these labels, in [0, 1]."""
    return float(np.mean(labels_said(logits) == labels))


def labels_said(logits: FloatArray) -> LabelArray:
    """Return the label that a model gives each image; −1 where its outputs are not finite."""
    said: LabelArray = np.where(np.isfinite(logits).all(axis=1), logits.argmax(axis=1), -1)
    return said


def softmax(logits: FloatArray) -> FloatArray:
    """Return probabilities of shape (samples, classes)."""
    from scipy.special import softmax as of_scipy

    probabilities: FloatArray = of_scipy(logits, axis=1)
    return probabilities
