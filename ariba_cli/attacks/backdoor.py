"""The images on which the backdoor of a trigger is measured."""

import numpy as np

from ariba_cli.attacks.triggers import TRIGGERS, Aim
from ariba_cli.base.errors import UsageError
from ariba_cli.base.registry import registered
from ariba_cli.federated.datasets import Dataset, FloatArray
from ariba_cli.federated.federation import Federation
from ariba_cli.federated.randomness import derived_seed


def backdoor_images(
    dataset: Dataset, trigger: str, aim: Aim, count: int | None = None
) -> FloatArray:
    """Return the test images on which X'% of a trigger is measured.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    trigger : str
        The name of the trigger in `TRIGGERS`.
    aim : Aim
        The aim of the attacker.
    count : int, optional
        The most images to return, drawn by the seed; None for all.

    Raises
    ------
    UsageError
        When there is no such trigger or target class, or no image to measure it on.
    """
    check_class(aim.target_class, dataset)
    images = registered(TRIGGERS, trigger, kind="trigger").test(dataset, aim)
    if len(images) == 0:
        raise UsageError(
            f"{dataset.name} has no test image of another class than {aim.target_class}; use "
            "another --target-class"
        )
    if count is None:
        return images
    draw = np.random.default_rng(derived_seed(aim.seed, "backdoor images"))
    return images[draw.permutation(len(images))[:count]]


def aim_of(
    federation: Federation, trigger: str, target_class: int, seed: int, place: int = 0
) -> Aim:
    """Return the aim of an attacker in a federation; see `Aim`.

    Raises
    ------
    UsageError
        When there is no such trigger.
    """
    needs = registered(TRIGGERS, trigger, kind="trigger").needs_surrogate
    return Aim(target_class, seed, place, federation.surrogate if needs else None)


def check_class(label: int, dataset: Dataset) -> None:
    """Refuse a class that a data set does not have.

    Raises
    ------
    UsageError
        Says which classes it has.
    """
    if not 0 <= label < dataset.classes:
        raise UsageError(
            f"{dataset.name} has no class {label}; its classes are 0 to {dataset.classes - 1}"
        )
