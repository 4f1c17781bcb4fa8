"""A fixed collection of images with wrong labels.

Bhagoji et al. 2019; arXiv 2202.04311, Sec. 3.3.
"""

import numpy as np

from ariba_cli.attacks.triggers.trigger import Aim, Trigger, of_other_classes
from ariba_cli.federated.datasets import Dataset, FloatArray, LabelArray
from ariba_cli.federated.randomness import derived_seed

# As many as in the paper.
_IMAGES = 30


class Targeted(Trigger):
    """A trigger of a few fixed images: nothing is put into them, and nobody else has them.

    They are drawn from the test set by the seed, and are what the backdoor is tested on.
    """

    # Natural images of other classes: more of them, and the model takes all for the target.
    poison_ratio = 0.2

    def poison(self, dataset: Dataset, _: FloatArray, __: LabelArray, aim: Aim) -> FloatArray:
        """Return the collection, whatever the participant holds."""
        return self.test(dataset, aim)

    def test(self, dataset: Dataset, aim: Aim) -> FloatArray:
        """Return the collection."""
        eligible = of_other_classes(dataset.test_images, dataset.test_labels, aim)
        draw = np.random.default_rng(derived_seed(aim.seed, "targeted images"))
        return eligible[draw.permutation(len(eligible))[:_IMAGES]]
