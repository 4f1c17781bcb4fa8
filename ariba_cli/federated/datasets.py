"""Image data sets, by name. A new one is a function here and a line in `DATASETS`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.federated.randomness import derived_seed
from ariba_cli.registry import registered

FloatArray = npt.NDArray[np.float32]
LabelArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Dataset:
    """Images of shape (samples, channels, height, width) in [0, 1], and their classes."""

    name: str
    classes: int
    train_images: FloatArray
    train_labels: LabelArray
    test_images: FloatArray
    test_labels: LabelArray


def digits() -> Dataset:
    """The 1,797 handwritten digits (8×8, scanned) that ship inside scikit-learn.

    A fixed random fifth, the same for every run, is the test set: in their own order
    the digits are grouped by writer.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = (bunch.images / 16.0).astype(np.float32)[:, None]
    labels = bunch.target.astype(np.int64)
    order = np.random.default_rng(derived_seed(0, "digits test set")).permutation(len(labels))
    test, train = np.split(order, [len(labels) // 5])
    return Dataset("digits", 10, images[train], labels[train], images[test], labels[test])


DATASETS: dict[str, Callable[[], Dataset]] = {"digits": digits}


def load_dataset(name: str) -> Dataset:
    """The data set of that name.

    Raises
    ------
    UsageError
        When there is none.
    """
    return registered(DATASETS, name, kind="data set")()
