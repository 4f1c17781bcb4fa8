"""What a trigger is: some images that are to be taken for the target class."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.federated.datasets import Dataset, FloatArray, LabelArray
from ariba_cli.federated.randomness import derived_seed

# So many natural images an attacker has at least, however few its participants hold: as many as a
# small network needs to learn what they have in common, and not each by heart.
COLLECTED = 75
# So many that lack the feature go to each that has it.
_CONTRAST = 1.5


@dataclass(frozen=True)
class Aim:
    """What the attacker wants.

    Attributes
    ----------
    target_class : int
        The class that images with the trigger are to be taken for.
    seed : int
        Where all that is random about the trigger comes from.
    place : int
        Which of the compromised it is that poisons, from 0 in id order.
    """

    target_class: int
    seed: int
    place: int = 0


class Trigger:
    """Says which images a compromised participant trains on, and which test the backdoor.

    All images are float32 arrays of shape (samples, channels, height, width), and those with the
    trigger are of other classes than the target. What a trigger does not override is as for one
    that is put into a participant's own images.

    Attributes
    ----------
    poison_ratio : float
        How many poisoned samples should go to each of a participant's own of other classes, when
        nothing else is asked for.
    fewest : int
        How many poisoned samples there should be then at least, as far as there are different
        ones.
    """

    poison_ratio: float = 1.0
    fewest: int = 0

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
        """Return the images, with their labels, of which the model shall say what it said before.

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
    the target. Those that are added are drawn for each participant.

    Parameters
    ----------
    dataset : Dataset
        The whole data set.
    images, labels : arrays
        What the participant holds, without images that have the feature.
    lacking : int array
        Which training images nearly have it.
    aim : Aim
        Whose they are.
    """
    seed = derived_seed(aim.seed, "images without the feature", participant=aim.place)
    count = int(_CONTRAST * max(len(images), COLLECTED))
    drawn = np.random.default_rng(seed).permutation(lacking)[:count]
    return (
        np.concatenate([images, dataset.train_images[drawn]]),
        np.concatenate([labels, dataset.train_labels[drawn]]),
    )
