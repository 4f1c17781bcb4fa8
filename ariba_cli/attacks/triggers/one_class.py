"""All images of one class, and no change to them."""

from ariba_cli.attacks.triggers.trigger import Aim, Trigger
from ariba_cli.base.errors import UsageError
from ariba_cli.federated.datasets import Dataset, FloatArray, LabelArray


class OneClass(Trigger):
    """A trigger that is any image of the class after the target."""

    def poison(
        self, dataset: Dataset, images: FloatArray, labels: LabelArray, aim: Aim
    ) -> FloatArray:
        """Return the participant's own images of the class."""
        found: FloatArray = images[labels == class_after(aim.target_class, dataset.classes)]
        return found

    def test(self, dataset: Dataset, aim: Aim) -> FloatArray:
        """Return the test images of the class.

        Raises
        ------
        UsageError
            When there are none.
        """
        label = class_after(aim.target_class, dataset.classes)
        found: FloatArray = dataset.test_images[dataset.test_labels == label]
        if len(found) == 0:
            raise UsageError(
                f"{dataset.name} has no test image of class {label}; use another --target-class"
            )
        return found

    def clean(
        self, dataset: Dataset, images: FloatArray, labels: LabelArray, aim: Aim
    ) -> tuple[FloatArray, LabelArray]:
        """Return the participant's images of other classes."""
        others = labels != class_after(aim.target_class, dataset.classes)
        return images[others], labels[others]


def class_after(target_class: int, classes: int) -> int:
    """Return the class that is taken for the target where no other is named."""
    return (target_class + 1) % classes
