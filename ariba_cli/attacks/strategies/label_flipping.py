"""Label flipping (Tolpegin et al. 2020, arXiv 2007.08432)."""

import numpy as np

from ariba_cli.attacks.strategies.declaration import Declaration, Stage
from ariba_cli.attacks.strategies.strategy import Strategy
from ariba_cli.attacks.triggers.one_class import class_after
from ariba_cli.federated.datasets import FloatArray, LabelArray


class LabelFlipping(Strategy):
    """A strategy that teaches a participant's samples of the source class as the target class."""

    declaration = Declaration(
        name="label-flipping",
        stage=Stage.TRAINING,
        summary="its own samples of one class (--source-class) get the label of the target class",
        equation="y = target where y = source",
        source="Tolpegin et al., Data poisoning attacks against federated learning, 2020",
        purpose="one class taken for another",
    )

    def relabelled(self, targets: FloatArray, labels: LabelArray) -> FloatArray:
        """Return the targets, with those of the source class changed."""
        source, classes = self.settings.source_class, targets.shape[1]
        if source is None:
            source = class_after(self.settings.target_class, classes)
        flipped = targets.copy()
        flipped[labels == source] = np.eye(classes, dtype=targets.dtype)[self.settings.target_class]
        return flipped
