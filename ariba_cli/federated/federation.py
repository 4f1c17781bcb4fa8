"""A federation: its settings, its participants and their data, and its rounds."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ariba_cli.errors import UsageError
from ariba_cli.federated.aggregation import fedavg
from ariba_cli.federated.datasets import FloatArray, LabelArray, load_dataset
from ariba_cli.federated.models import Weights, initial_weights
from ariba_cli.federated.partitions import iid
from ariba_cli.federated.randomness import derived_seed
from ariba_cli.federated.training import LocalTraining, Trainer


@dataclass(frozen=True, kw_only=True)
class FederationSettings:
    """Everything that decides what a federation computes.

    Attributes
    ----------
    dataset : its name in `DATASETS`.
    participants : n.
    rounds : how many, from scratch.
    eta : η, the server's learning rate in FedAvg.
    hidden : the width of the model's first linear layer.
    training : how each participant trains in each round.
    """

    dataset: str = "digits"
    participants: int = 50
    rounds: int = 40
    eta: float = 1.0
    seed: int = 0
    hidden: int = 32
    training: LocalTraining = field(
        default_factory=lambda: LocalTraining(
            optimizer="adam", epochs=3, batch_size=10, learning_rate=0.01
        )
    )


@dataclass(frozen=True)
class TrainedRound:
    """What the server held at one global round, and what came of it.

    Attributes
    ----------
    number : t, from 1.
    global_weights : θ^t, which the server sent out.
    updates : what each participant sent back, by id.
    following : θ^(t+1), the next global model.
    accuracy : of the next global model, on the test set, in [0, 1].
    """

    number: int
    global_weights: Weights
    updates: dict[str, Weights]
    following: Weights
    accuracy: float


class Federation:
    """Participants with their shares of a data set, and the model that they train.

    Attributes
    ----------
    dataset : the whole data set, test set included.
    trainer : trains and runs the federation's model.
    """

    def __init__(self, settings: FederationSettings) -> None:
        self.settings = settings
        self.dataset = load_dataset(settings.dataset)
        samples = len(self.dataset.train_labels)
        if settings.participants > samples:
            raise UsageError(
                f"{settings.participants} participants cannot share the {samples} samples of "
                f"{settings.dataset}; use fewer"
            )
        self._shares = iid(samples, settings.participants, settings.seed)
        self.trainer = Trainer(self.dataset, hidden=settings.hidden)

    @property
    def ids(self) -> list[str]:
        """The participants: p00, p01, … with as many digits as the last one needs."""
        count = self.settings.participants
        return [f"p{index:0{len(str(count - 1))}d}" for index in range(count)]

    def samples(self, participant: int) -> tuple[FloatArray, LabelArray]:
        """The images and labels that a participant holds."""
        share = self._shares[participant]
        return self.dataset.train_images[share], self.dataset.train_labels[share]

    def agreement(self, weights: Weights, images: FloatArray, labels: LabelArray) -> float:
        """The share of the images that a model gives these labels, in [0, 1]."""
        said = self.trainer.probabilities(weights, images)
        return float(np.mean(said.argmax(axis=1) == labels))

    def accuracy(self, weights: Weights) -> float:
        """The share of the test set that a model gets right, in [0, 1]."""
        return self.agreement(weights, self.dataset.test_images, self.dataset.test_labels)

    def initial_weights(self) -> Weights:
        """What the first round starts from."""
        return initial_weights(self.dataset, hidden=self.settings.hidden, seed=self.settings.seed)

    def rounds(
        self, weights: Weights | None = None, *, finished: int = 0
    ) -> Iterator[TrainedRound]:
        """Train round after round: from scratch, or from the weights after a finished round."""
        settings = self.settings
        weights = self.initial_weights() if weights is None else weights
        for number in range(finished + 1, settings.rounds + 1):
            updates = {
                name: self._honest_update(weights, participant, number)
                for participant, name in enumerate(self.ids)
            }
            following = fedavg(weights, list(updates.values()), settings.eta)
            yield TrainedRound(number, weights, updates, following, self.accuracy(following))
            weights = following

    def _honest_update(self, weights: Weights, participant: int, number: int) -> Weights:
        seed = derived_seed(
            self.settings.seed, "local training", round_number=number, participant=participant
        )
        return self.trainer.train(
            weights, *self.samples(participant), self.settings.training, seed=seed
        )
