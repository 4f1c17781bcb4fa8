"""A natural feature, and no change to the image.

Bagdasaryan et al. 2020; arXiv 2202.04311, Sec. 3.3.
"""

import numpy as np
import numpy.typing as npt

from ariba_cli.attacks.triggers.trigger import Aim
from ariba_cli.base.errors import UsageError
from ariba_cli.federated.datasets import Dataset, FloatArray, LabelArray

# In CIFAR-10.
_AUTOMOBILE = 1
# An image is green where its centre is, by so much more than by red and blue.
_GREEN_MARGIN = 0.03
# Strokes are heavy where an image has more ink than this share of its class.
_HEAVY = 0.9


class Semantic:
    """Green cars in colour images of ten classes, heavy strokes in grey ones."""

    # Natural images of other classes: more of them, and the model takes all for the target.
    poison_ratio = 0.2

    def poison(self, dataset: Dataset, _: FloatArray, __: LabelArray, aim: Aim) -> FloatArray:
        """All training images with the feature, which the attacker has collected."""
        return _having_it(dataset, dataset.train_images, dataset.train_labels, aim)

    def test(self, dataset: Dataset, aim: Aim) -> FloatArray:
        """The test images with the feature."""
        return _having_it(dataset, dataset.test_images, dataset.test_labels, aim)


def green_cars(images: FloatArray, labels: LabelArray) -> npt.NDArray[np.bool_]:
    """Which images of CIFAR-10 are of a green car, by the mean colour of the middle quarter."""
    height, width = images.shape[2:]
    middle = images[:, :, height // 4 : -(height // 4), width // 4 : -(width // 4)]
    red, green, blue = middle.mean(axis=(2, 3)).T
    found: npt.NDArray[np.bool_] = (labels == _AUTOMOBILE) & (
        green - np.maximum(red, blue) > _GREEN_MARGIN
    )
    return found


def heavy_strokes(
    images: FloatArray, labels: LabelArray, dataset: Dataset
) -> npt.NDArray[np.bool_]:
    """Which images have more ink than 90 % of the training images of their class."""
    train = dataset.train_images.mean(axis=(1, 2, 3))
    heavy = np.full(dataset.classes, np.inf)
    for label in np.unique(dataset.train_labels):
        heavy[label] = np.quantile(train[dataset.train_labels == label], _HEAVY)
    found: npt.NDArray[np.bool_] = images.mean(axis=(1, 2, 3)) > heavy[labels]
    return found


def _having_it(dataset: Dataset, images: FloatArray, labels: LabelArray, aim: Aim) -> FloatArray:
    if dataset.train_images.shape[1] == 1:
        having_it = heavy_strokes(images, labels, dataset)
    elif dataset.name == "cifar10":
        having_it = green_cars(images, labels)
    else:
        raise UsageError(
            f"no natural feature is known for the colour images of {dataset.name}; use another "
            "trigger"
        )
    found: FloatArray = images[having_it & (labels != aim.target_class)]
    if len(found) == 0:
        raise UsageError(
            f"no image of {dataset.name} has the feature and another class than "
            f"{aim.target_class}; use another --target-class"
        )
    return found
