"""What a trigger is: some images that are to be taken for the target class."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ariba_cli.federated.datasets import Dataset, FloatArray, LabelArray


@dataclass(frozen=True)
class Aim:
    """What the attacker wants.

    Attributes
    ----------
    target_class : the class that images with the trigger are to be taken for.
    seed : where all that is random about the trigger comes from.
    """

    target_class: int
    seed: int


class Trigger(Protocol):
    """Says which images a compromised participant trains on, and which test the backdoor.

    All images are of shape (samples, channels, height, width), and of other classes than
    the target.

    Attributes
    ----------
    poison_ratio : how many poisoned samples should go to each of a participant's own of other
        classes, when nothing else is asked for.
    """

    poison_ratio: float

    def poison(
        self, dataset: Dataset, images: FloatArray, labels: LabelArray, aim: Aim
    ) -> FloatArray:
        """Images with the trigger, given those that the participant holds."""
        ...

    def test(self, dataset: Dataset, aim: Aim) -> FloatArray:
        """The images on which the backdoor is to work."""
        ...


def of_other_classes(images: FloatArray, labels: LabelArray, aim: Aim) -> FloatArray:
    """The images that are not of the target class already."""
    others: FloatArray = images[np.flatnonzero(labels != aim.target_class)]
    return others
