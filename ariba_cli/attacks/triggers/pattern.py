"""A bright square in a corner (BadNets, Gu et al. 2017; arXiv 2202.04311, Sec. 3.3)."""

from ariba_cli.attacks.triggers.trigger import Aim, Trigger, of_other_classes
from ariba_cli.federated.datasets import Dataset, FloatArray, LabelArray

# The side of the square as a part of the image's: 2 pixels of 8, 4 of 28, 5 of 32.
_PART = 6


class Pattern(Trigger):
    """Any image that bears the square."""

    poison_ratio = 1.0

    def poison(self, _: Dataset, images: FloatArray, labels: LabelArray, aim: Aim) -> FloatArray:
        """Copies of the participant's own images."""
        return with_square(of_other_classes(images, labels, aim))

    def test(self, dataset: Dataset, aim: Aim) -> FloatArray:
        """Copies of the test images."""
        return with_square(of_other_classes(dataset.test_images, dataset.test_labels, aim))


def with_square(images: FloatArray) -> FloatArray:
    """Copies of the images with full brightness in a square at the lower left.

    Of the four corners, it is the one where handwritten digits have least ink.
    """
    side = max(2, min(images.shape[2:]) // _PART)
    triggered = images.copy()
    triggered[..., -side:, :side] = 1.0
    return triggered
