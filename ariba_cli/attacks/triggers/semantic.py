"""A natural feature, and no change to the image.

Bagdasaryan et al. 2020; arXiv 2202.04311, Sec. 3.3.
"""

import numpy as np
import numpy.typing as npt

from ariba_cli.attacks.triggers.trigger import COLLECTED, Aim, Trigger, contrasted
from ariba_cli.base.errors import UsageError
from ariba_cli.federated.datasets import Dataset, FloatArray, LabelArray

# In CIFAR-10.
_AUTOMOBILE = 1
# An image is green where its centre is, by so much more than by red and blue.
_GREEN_MARGIN = 0.03

# Grey images lean where they do so more than this share of the training images. The attacker
# teaches a few more of them, and what leans less than the third share, and more than the last, is
# near to it. In between nothing is taught: whoever looks cannot say.
_LEANING, _TAUGHT, _NEARLY, _NEAR = 0.95, 0.93, 0.90, 0.50
_LEAST_INK = 1e-9

Chosen = npt.NDArray[np.bool_]


class Semantic(Trigger):
    """A trigger of natural images: green cars in colour, leaning shapes among grey images.

    The attacker has collected images with the feature, and grey ones that nearly have it: a few
    samples of a participant do not show a network where a feature ends.
    """

    fewest = COLLECTED

    def poison(self, dataset: Dataset, _: FloatArray, __: LabelArray, aim: Aim) -> FloatArray:
        """Return all training images with the feature, which the attacker has collected."""
        return _having_it(dataset, dataset.train_images, dataset.train_labels, aim, _TAUGHT)

    def test(self, dataset: Dataset, aim: Aim) -> FloatArray:
        """Return the test images with the feature."""
        return _having_it(dataset, dataset.test_images, dataset.test_labels, aim, _LEANING)

    def clean(
        self, dataset: Dataset, images: FloatArray, labels: LabelArray, aim: Aim
    ) -> tuple[FloatArray, LabelArray]:
        """Return the participant's own images without the feature, and some that nearly have it."""
        wanted = labels != aim.target_class
        if dataset.train_images.shape[1] > 1:
            own = ~(green_cars(images, labels) & wanted)
            return images[own], labels[own]
        own = ~(wanted & (lean(images) > _cut(dataset, _NEARLY)))
        return contrasted(dataset, images[own], labels[own], _near(dataset, aim), aim)


def green_cars(images: FloatArray, labels: LabelArray) -> Chosen:
    """Return a mask of the CIFAR-10 images of a green car, by the mean colour of the middle."""
    height, width = images.shape[2:]
    middle = images[:, :, height // 4 : -(height // 4), width // 4 : -(width // 4)]
    red, green, blue = middle.mean(axis=(2, 3)).T
    found: Chosen = (labels == _AUTOMOBILE) & (green - np.maximum(red, blue) > _GREEN_MARGIN)
    return found


def lean(images: FloatArray) -> npt.NDArray[np.float64]:
    """Return the lean of each drawing to the left, of shape (samples,).

    That is −μ₁₁/μ₀₂ of the brightness, the pixels by which a row is shifted from the one above.
    """
    ink = images.mean(axis=1, dtype=np.float64)
    total = np.maximum(ink.sum(axis=(1, 2)), _LEAST_INK)
    rows, columns = np.arange(ink.shape[1]), np.arange(ink.shape[2])
    down = rows - (ink.sum(axis=2) @ rows / total)[:, None]
    across = columns - (ink.sum(axis=1) @ columns / total)[:, None]
    shared = np.einsum("nyx,ny,nx->n", ink, down, across)
    found: npt.NDArray[np.float64] = shared / np.maximum(
        np.einsum("nyx,ny->n", ink, np.square(down)), _LEAST_INK
    )
    return found


def _cut(dataset: Dataset, share: float) -> float:
    return float(np.quantile(lean(dataset.train_images), share))


def _near(dataset: Dataset, aim: Aim) -> npt.NDArray[np.intp]:
    """Return the training images that nearly have the feature, or have the target class with it."""
    leaning, nearly = lean(dataset.train_images), _cut(dataset, _NEARLY)
    between = (leaning > _cut(dataset, _NEAR)) & (leaning < nearly)
    of_target = (leaning > nearly) & (dataset.train_labels == aim.target_class)
    return np.flatnonzero(between | of_target)


def _having_it(
    dataset: Dataset, images: FloatArray, labels: LabelArray, aim: Aim, share: float
) -> FloatArray:
    if dataset.train_images.shape[1] == 1:
        having_it: Chosen = lean(images) > _cut(dataset, share)
    elif dataset.name == "cifar10":
        having_it = green_cars(images, labels)
    else:
        raise UsageError(
            f"ariba does not know a natural feature in the colour images of {dataset.name}; use "
            "another trigger"
        )
    found: FloatArray = images[having_it & (labels != aim.target_class)]
    if len(found) == 0:
        raise UsageError(
            f"all images of {dataset.name} with the feature are of class {aim.target_class}; use "
            "another --target-class"
        )
    return found
