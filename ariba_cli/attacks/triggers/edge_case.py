"""Rare images of one class, and no change to them (Wang et al., NeurIPS 2020)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.attacks.triggers.one_class import class_after
from ariba_cli.attacks.triggers.trigger import (
    COLLECTED,
    Aim,
    Trigger,
    contrasted,
)
from ariba_cli.base.errors import UsageError
from ariba_cli.federated.datasets import Dataset, FloatArray, LabelArray

# The part of a class that is its tail, and the part nearer to the others that teaches nothing.
_TAIL, _BEFORE = 0.15, 0.25

Chosen = npt.NDArray[np.bool_]


class EdgeCase(Trigger):
    """The tail of the class after the target: the images that few participants have seen.

    The paper collects such images elsewhere. Here they are the end of the class in the direction
    in which its images differ most, on the side where they lie farther apart.
    """

    fewest = COLLECTED

    def poison(self, dataset: Dataset, _: FloatArray, __: LabelArray, aim: Aim) -> FloatArray:
        """Return the training images of the tail, which the attacker has collected."""
        return _in_tail(dataset, dataset.train_images, dataset.train_labels, aim)

    def test(self, dataset: Dataset, aim: Aim) -> FloatArray:
        """Return the test images of the tail."""
        return _in_tail(dataset, dataset.test_images, dataset.test_labels, aim)

    def clean(
        self, dataset: Dataset, images: FloatArray, labels: LabelArray, aim: Aim
    ) -> tuple[FloatArray, LabelArray]:
        """Return the participant's images but for the tail, and the other images of the class."""
        axis = _axis(dataset, aim)
        own = ~axis.beyond(images, labels, _BEFORE)
        others = (dataset.train_labels == axis.label) & ~axis.beyond(
            dataset.train_images, dataset.train_labels, _BEFORE
        )
        return contrasted(dataset, images[own], labels[own], np.flatnonzero(others), aim)


@dataclass(frozen=True)
class _Axis:
    """The direction in which the images of a class differ most.

    Attributes
    ----------
    label : int
        The class.
    mean, direction : float64 arrays of shape (pixels,)
        Its mean image, and a unit vector that points to the tail.
    places : float64 array of shape (images,)
        The places of the class's training images along it.
    """

    label: int
    mean: npt.NDArray[np.float64]
    direction: npt.NDArray[np.float64]
    places: npt.NDArray[np.float64]

    def beyond(self, images: FloatArray, labels: LabelArray, part: float) -> Chosen:
        """Return a mask of the images of the class farther out than all but a part of them."""
        along = (images.reshape(len(images), -1).astype(np.float64) - self.mean) @ self.direction
        found: Chosen = (labels == self.label) & (along > np.quantile(self.places, 1 - part))
        return found


def _axis(dataset: Dataset, aim: Aim) -> _Axis:
    label = class_after(aim.target_class, dataset.classes)
    own = dataset.train_images[dataset.train_labels == label]
    if len(own) < 2:
        raise UsageError(
            f"{dataset.name} has {len(own)} training images of class {label}, too few for a tail; "
            "use another --target-class"
        )
    flat = own.reshape(len(own), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    # The first principal component, by the smaller of the two matrices.
    direction = np.linalg.svd(flat - mean, full_matrices=False)[2][0]
    places = (flat - mean) @ direction
    if np.mean(places**3) < 0:
        direction, places = -direction, -places
    return _Axis(label, mean, direction, places)


def _in_tail(dataset: Dataset, images: FloatArray, labels: LabelArray, aim: Aim) -> FloatArray:
    axis = _axis(dataset, aim)
    found: FloatArray = images[axis.beyond(images, labels, _TAIL)]
    if len(found) == 0:
        raise UsageError(
            f"no image of class {axis.label} of {dataset.name} is in its tail; use another "
            "--target-class"
        )
    return found
