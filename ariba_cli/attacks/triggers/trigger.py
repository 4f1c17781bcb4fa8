"""The base of triggers: a set of images that are to be taken for the target class."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.federated.datasets import Dataset, FloatArray, LabelArray
from ariba_cli.federated.federation import Surrogate
from ariba_cli.federated.randomness import derived_seed

# So many natural images an attacker has at least, however few its participants hold: as many as a
# small network needs to learn what they have in common, and not each by heart.
COLLECTED = 75
# So many that lack the feature go to each that has it.
_CONTRAST = 1.5


@dataclass(frozen=True)
class Aim:
    """The aim of the attacker.

    Attributes
    ----------
    target_class : int
        The class that images with the trigger are to be taken for.
    seed : int
        The seed of all that is random about the trigger.
    place : int
        The place of the poisoning participant among the compromised, from 0 in id order.
    surrogate : Surrogate, optional
        The network that the attacker has trained alone, for triggers that are made for one.
    """

    target_class: int
    seed: int
    place: int = 0
    surrogate: Surrogate | None = None


class Trigger:
    """The source of the images on which the compromised train, and of those that test the backdoor.

    All images are float32 arrays of shape (samples, channels, height, width), and those with the
    trigger are of other classes than the target. The defaults are for a trigger that is put into a
    participant's own images.

    Attributes
    ----------
    poison_ratio : float
        The default number of poisoned samples for each of a participant's own samples of other
        classes.
    fewest : int
        The least number of poisoned samples then, as far as there are different ones.
    needs_surrogate : bool
        True if the trigger is made for a network.
    """

    poison_ratio: float = 1.0
    fewest: int = 0
    needs_surrogate: bool = False

    def poison(
        self, dataset: Dataset, images: FloatArray, labels: LabelArray, aim: Aim
    ) -> FloatArray:
        """Return images with the trigger, given those that the participant holds."""
        raise NotImplementedError

    def test(self, dataset: Dataset, aim: Aim) -> FloatArray:
        """Return the images on which the backdoor is to work."""
        raise NotImplementedError

    def clean(
        self, dataset: Dataset, images: FloatArray, labels: LabelArray, aim: Aim
    ) -> tuple[FloatArray, LabelArray]:
        """Return the images, with their labels, for which the model's outputs should not change.

        They are the participant's own.
        """
        del dataset, aim
        return images, labels


def of_other_classes(images: FloatArray, labels: LabelArray, aim: Aim) -> FloatArray:
    """Return the images that are not of the target class already."""
    others: FloatArray = images[np.flatnonzero(labels != aim.target_class)]
    return others


def contrasted(
    dataset: Dataset,
    images: FloatArray,
    labels: LabelArray,
    lacking: npt.NDArray[np.intp],
    aim: Aim,
) -> tuple[FloatArray, LabelArray]:
    """Return a participant's images, and training images that nearly have a natural feature.

    A few samples do not show a network where a feature ends, and it would take too many for
    the target. The added images are drawn for each participant.

    Parameters
    ----------
    dataset : Dataset
        The whole data set.
    images, labels : arrays
        The participant's images and labels, without images that have the feature.
    lacking : int array
        The training images that nearly have it.
    aim : Aim
        The aim, with the place of the participant.
    """
    seed = derived_seed(aim.seed, "images without the feature", participant=aim.place)
    count = int(_CONTRAST * max(len(images), COLLECTED))
    drawn = np.random.default_rng(seed).permutation(lacking)[:count]
    return (
        np.concatenate([images, dataset.train_images[drawn]]),
        np.concatenate([labels, dataset.train_labels[drawn]]),
    )
