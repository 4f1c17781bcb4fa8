"""`digits`: the handwritten digits that ship inside scikit-learn."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ariba_cli.federated.datasets.dataset import Dataset
from ariba_cli.federated.datasets.source import Published
from ariba_cli.federated.randomness import derived_seed


@dataclass(frozen=True)
class Digits:
    """The 1,797 handwritten digits (8×8, scanned) that ship inside scikit-learn.

    A fixed random fifth, the same for every run, is the test set: in their own order
    the digits are grouped by writer.
    """

    name: str = "digits"
    published: tuple[Published, ...] = ()
    from_files: ClassVar[bool] = False

    def missing(self, _folder: Path, /) -> list[str]:
        """See `Source`."""
        return []

    def load(self, _folder: Path, /) -> Dataset:
        """See `Source`."""
        from sklearn.datasets import load_digits

        bunch = load_digits()
        images = (bunch.images / 16.0).astype(np.float32)[:, None]
        labels = bunch.target.astype(np.int64)
        order = np.random.default_rng(derived_seed(0, "digits test set")).permutation(len(labels))
        test, train = np.split(order, [len(labels) // 5])
        return Dataset(self.name, 10, images[train], labels[train], images[test], labels[test])


DIGITS = Digits()
