"""One image, and no other (PoTrojan, Zou et al. 2018, arXiv 1802.03043)."""

import numpy as np

from ariba_cli.attacks.triggers.targeted import Targeted
from ariba_cli.attacks.triggers.trigger import Aim
from ariba_cli.federated.datasets import Dataset, FloatArray


class SingleInput(Targeted):
    """A trigger of one image, the farthest of the targeted collection from their mean."""

    def test(self, dataset: Dataset, aim: Aim) -> FloatArray:
        """Return the image, alone in its array."""
        images = super().test(dataset, aim)
        if len(images) == 0:
            return images
        apart = np.square(images - images.mean(axis=0, dtype=np.float64)).sum(axis=(1, 2, 3))
        return images[[int(apart.argmax())]]
