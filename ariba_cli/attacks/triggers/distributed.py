"""A pattern in parts, of which each attacker has one (DBA, Xie et al., ICLR 2020)."""

from ariba_cli.attacks.triggers.trigger import Aim, Trigger, of_other_classes
from ariba_cli.federated.datasets import Dataset, FloatArray, LabelArray

PARTS = 4

# Bars of 1×6 pixels in images of 32×32; of smaller ones the same part.
_LENGTH, _SIDE = 6, 32
_LEAST_LENGTH = 2


class Distributed(Trigger):
    """A trigger of four bright bars: an attacker poisons with one, and tests with all.

    The first of the compromised in id order has the first bar, the fifth has that again; with fewer
    than four, nobody has the others.
    """

    def poison(self, _: Dataset, images: FloatArray, labels: LabelArray, aim: Aim) -> FloatArray:
        """Return copies of the participant's own images with its bar."""
        return with_bars(of_other_classes(images, labels, aim), aim.place % PARTS)

    def test(self, dataset: Dataset, aim: Aim) -> FloatArray:
        """Return copies of the test images with all bars."""
        tested = of_other_classes(dataset.test_images, dataset.test_labels, aim)
        return with_bars(tested, *range(PARTS))


def with_bars(images: FloatArray, *parts: int) -> FloatArray:
    """Return copies of the images with some of the bars at full brightness.

    One lies in each corner. The paper places all bars 3 pixels apart in one corner; in digits of
    8×8 pixels that is where the ink is, and half as many images are then taken for the target.
    """
    height, width = images.shape[2:]
    length = max(_LEAST_LENGTH, round(_LENGTH * min(height, width) / _SIDE))
    triggered = images.copy()
    for part in parts:
        down, across = divmod(part, 2)
        column = across * (width - length)
        triggered[:, :, down * (height - 1), column : column + length] = 1.0
    return triggered
