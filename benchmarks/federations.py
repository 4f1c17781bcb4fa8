"""The federations that are trained, by name. They are the same on every machine."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ariba_cli.federated.datasets import Dataset
    from ariba_cli.federated.federation import Federation
    from ariba_cli.federated.training import Method

_SEED = 20220204
_CLASSES = 10
_SIDE = 28

# A class lights some blocks of made-up images, and of their pixels some are turned over. With
# so many, the loss falls over several rounds, and says whether they were all trained.
_BLOCK = 4
_LIT = 0.3
_TURNED = 0.3


@dataclass(frozen=True, kw_only=True)
class FederationSpec:
    """A federation that is trained from scratch, with Adam and the 4-layer CNN.

    Attributes
    ----------
    name : str
        The name in the rows of tables.
    images : int
        The number of grey images of 28×28 that are made up to train on, for all participants
        together; 0 for the digits of scikit-learn.
    test_images : int
        The number of further images that are made up for the test set.
    participants : int
        The number of participants.
    rounds : int
        The number of rounds in one run.
    epochs, batch_size, learning_rate : int, int, float
        The settings of local training.
    """

    name: str
    images: int = 0
    test_images: int = 0
    participants: int
    rounds: int
    epochs: int
    batch_size: int
    learning_rate: float

    def __str__(self) -> str:
        """Return the description of the federation, in words."""
        rounds = "1 round" if self.rounds == 1 else f"{self.rounds} rounds"
        return f"{self.name}, {rounds} of {self.participants} participants"


def make_dataset(spec: FederationSpec) -> "Dataset":
    """Return the images of a federation: nothing is downloaded."""
    import numpy as np

    from ariba_cli.federated.datasets import Dataset, load_dataset

    if not spec.images:
        return load_dataset("digits")
    random = np.random.default_rng(_SEED)
    blocks = random.random((_CLASSES, 1, _SIDE // _BLOCK, _SIDE // _BLOCK)) < _LIT
    lit = blocks.repeat(_BLOCK, axis=2).repeat(_BLOCK, axis=3)
    labels = random.integers(_CLASSES, size=spec.images + spec.test_images)
    images = random.random((len(labels), 1, _SIDE, _SIDE), dtype=np.float32)
    images *= lit[labels] ^ (random.random(images.shape, dtype=np.float32) < _TURNED)
    cut = spec.images
    return Dataset(spec.name, _CLASSES, images[:cut], labels[:cut], images[cut:], labels[cut:])


def make_federation(
    spec: FederationSpec, dataset: "Dataset", method: "Method | None" = None
) -> "Federation":
    """Return a federation with the same shares, first weights and sample order for all contestants.

    It trains on processors, as all of them do.
    """
    from ariba_cli.federated.federation import Federation, FederationSettings, Place
    from ariba_cli.federated.training import LocalTraining

    training = LocalTraining(
        optimizer="adam",
        epochs=spec.epochs,
        batch_size=spec.batch_size,
        learning_rate=spec.learning_rate,
    )
    settings = FederationSettings(
        participants=spec.participants, rounds=spec.rounds, training=training
    )
    return Federation(settings, Place(engine=method, device="cpu"), dataset=dataset)


def resized(
    specs: Sequence[FederationSpec], images: int | None, rounds: int | None
) -> tuple[FederationSpec, ...]:
    """Return the federations with other numbers of images and of rounds; None for no change."""
    return tuple(
        replace(
            spec,
            images=(images or spec.images) if spec.images else 0,
            rounds=rounds or spec.rounds,
        )
        for spec in specs
    )


_GREY = FederationSpec(
    name="28×28",
    images=60_000,
    test_images=10_000,
    participants=50,
    rounds=5,
    epochs=1,
    batch_size=32,
    learning_rate=0.001,
)
_DIGITS = FederationSpec(
    name="digits", participants=50, rounds=40, epochs=3, batch_size=10, learning_rate=0.01
)

FULL = (_GREY, _DIGITS)
QUICK = (replace(_DIGITS, participants=10, rounds=2),)
