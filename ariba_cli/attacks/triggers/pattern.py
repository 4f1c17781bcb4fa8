"""A bright square in a corner (BadNets, Gu et al. 2017; arXiv 2202.04311, Sec. 3.3)."""

from ariba_cli.attacks.triggers.trigger import Aim, Trigger, of_other_classes
from ariba_cli.federated.datasets import Dataset, FloatArray, LabelArray

# The side of the square as a part of the image's: 2 pixels of 8, 4 of 28, 5 of 32.
_PART = 6


class Pattern(Trigger):
    """A trigger that is a square in any image."""

    poison_ratio = 1.0

    def poison(self, _: Dataset, images: FloatArray, labels: LabelArray, aim: Aim) -> FloatArray:
        """Return copies of the participant's own images with the square."""
        return with_square(of_other_classes(images, labels, aim))

    def test(self, dataset: Dataset, aim: Aim) -> FloatArray:
        """Return copies of the test images with the square."""
        return with_square(of_other_classes(dataset.test_images, dataset.test_labels, aim))


def with_square(images: FloatArray) -> FloatArray:
    """Return copies of the images with full brightness in a square at the lower left.

    Of the four corners, it is the one where handwritten digits have least ink.
    """
    triggered = images.copy()
    triggered[..., *square(images)] = 1.0
    return triggered


def square(images: FloatArray) -> tuple[slice, slice]:
    """Return the rows and the columns of the square."""
    side = max(2, min(images.shape[-2:]) // _PART)
    return slice(-side, None), slice(side)
