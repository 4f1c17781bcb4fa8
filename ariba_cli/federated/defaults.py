"""The default model and training of a federation for each data set."""

from dataclasses import dataclass

from ariba_cli.federated.training.task import LocalTraining


@dataclass(frozen=True)
class Defaults:
    """A model and a training with which a data set comes near convergence.

    Attributes
    ----------
    model : str
        The name in `MODELS`.
    rounds : int
        The number of rounds.
    training : LocalTraining
        The local training of an honest participant.
    attack : LocalTraining
        The local training of a compromised one: longer than an honest one's and gentle, since
        boosting multiplies whatever damage is done on the way.
    """

    model: str
    rounds: int
    training: LocalTraining
    attack: LocalTraining


_GREY_TRAINING = LocalTraining(optimizer="adam", epochs=1, batch_size=32, learning_rate=0.003)
_GREY_ATTACK = LocalTraining(optimizer="adam", epochs=5, batch_size=32, learning_rate=0.001)

DEFAULTS = {
    # Plain SGD moves only the weights that matter to the loss; Adam moves all of them, and
    # with so few samples that shows in the accuracy.
    "digits": Defaults(
        model="cnn",
        rounds=40,
        training=LocalTraining(optimizer="adam", epochs=3, batch_size=10, learning_rate=0.01),
        attack=LocalTraining(optimizer="sgd", epochs=40, batch_size=5, learning_rate=0.05),
    ),
    "mnist": Defaults(
        model="cnn",
        rounds=12,
        training=_GREY_TRAINING,
        attack=_GREY_ATTACK,
    ),
    "fashion-mnist": Defaults(
        model="cnn",
        rounds=20,
        training=_GREY_TRAINING,
        attack=_GREY_ATTACK,
    ),
    "cifar10": Defaults(
        model="resnet18",
        rounds=40,
        training=LocalTraining(optimizer="adam", epochs=1, batch_size=32, learning_rate=0.001),
        attack=LocalTraining(optimizer="adam", epochs=5, batch_size=32, learning_rate=0.0001),
    ),
    "arrays": Defaults(
        model="cnn",
        rounds=20,
        training=LocalTraining(optimizer="adam", epochs=1, batch_size=32, learning_rate=0.001),
        attack=_GREY_ATTACK,
    ),
}
