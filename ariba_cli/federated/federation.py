"""A federation: its settings, its participants with their data, and its rounds."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from ariba_cli.aggregation.in_memory import next_model
from ariba_cli.aggregation.rules import DEFAULT, make_rule
from ariba_cli.aggregation.rules.declaration import Need
from ariba_cli.base.errors import UsageError
from ariba_cli.base.parameters import Parameter
from ariba_cli.base.progress import Progress, no_progress
from ariba_cli.federated.datasets import Dataset, FloatArray, LabelArray, load_dataset
from ariba_cli.federated.defaults import DEFAULTS
from ariba_cli.federated.models import Architecture, Weights, architecture_for
from ariba_cli.federated.models.lora import adapted, check_adaptable
from ariba_cli.federated.partitions import parse_partition
from ariba_cli.federated.pretraining import pretrain, set_apart
from ariba_cli.federated.quality import Quality, quality_of
from ariba_cli.federated.randomness import derived_seed
from ariba_cli.federated.server import answering, noise_seed, who_answers
from ariba_cli.federated.training import Engine, LocalTraining, Method, Task

DIVERGED = (
    "training has diverged: not all weights are finite; use a smaller --learning-rate or --eta"
)

# What an attacker trains alone: many images, for as long as a small network needs.
_SURROGATE_IMAGES = 2000
_SURROGATE_EPOCHS = 5


@dataclass(frozen=True, kw_only=True)
class FederationSettings:
    """The settings that decide what a federation computes.

    Attributes
    ----------
    dataset : str
        The name in `DATASETS`.
    partition : str
        The partition, as `parse_partition` reads it.
    model : str
        The name in `MODELS`.
    participants : int
        n.
    rounds : int
        The number of rounds, from scratch.
    eta : float
        η, the server's learning rate.
    seed : int
        The seed of everything random.
    training : LocalTraining
        The local training of each participant in each round.
    lora : int, optional
        The rank of the factors that alone are trained, beside a network that the server pre-trained
        on samples of its own; None to train all weights from scratch.
    rule : str
        The name in `RULES` of the server's aggregation rule.
    rule_arguments : mapping of str to Parameter
        The arguments of the rule that replace its defaults.
    sampled : int, optional
        The number of participants asked in a round; None for all.
    failing : float
        The share of those whose updates never come.
    """

    dataset: str = "digits"
    partition: str = "iid"
    model: str = DEFAULTS["digits"].model
    participants: int = 50
    rounds: int = DEFAULTS["digits"].rounds
    eta: float = 1.0
    seed: int = 0
    training: LocalTraining = DEFAULTS["digits"].training
    lora: int | None = None
    rule: str = DEFAULT
    rule_arguments: Mapping[str, Parameter] = field(default_factory=dict)
    sampled: int | None = None
    failing: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """The place of a federation's data, and of its computation.

    Attributes
    ----------
    data_dir : Path, optional
        The folder of data sets.
    engine : Method, optional
        The way to train participants; None to choose by model and device.
    device : str
        `auto`, `cpu`, `cuda` or `cuda:N`.
    """

    data_dir: Path | None = None
    engine: Method | None = None
    device: str = "auto"


@dataclass(frozen=True)
class TrainedRound:
    """A global round of training, and its result.

    Attributes
    ----------
    number : int
        t, from 1.
    global_weights : Weights
        θ^t, which the server sent out.
    updates : dict of str to Weights
        The weights that each participant sent back, by id; only those that answered.
    compromised : tuple of str
        Those of them that were compromised in this round.
    following : Weights
        θ^(t+1), the next global model.
    quality : Quality
        The quality of the next global model on the test set.
    """

    number: int
    global_weights: Weights
    updates: dict[str, Weights]
    compromised: tuple[str, ...]
    following: Weights
    quality: Quality


class UpdateHook(Protocol):
    """A hook that makes some participants send something else."""

    def compromised_in(self, number: int) -> tuple[str, ...]:
        """Return the participants of a round that answer with something else."""
        ...

    def updates(
        self, global_weights: Weights, honest: Mapping[str, Weights], number: int
    ) -> dict[str, Weights]:
        """Return the weights that they send, given those of the honest."""
        ...


@dataclass(frozen=True, eq=False)
class Surrogate:
    """A network that an attacker has trained alone; see `Federation.surrogate`.

    Attributes
    ----------
    architecture : Architecture
        The network of the federation.
    weights : Weights
        Its weights.
    """

    architecture: Architecture
    weights: Weights


class Federation:
    """A federation of participants with their shares of a data set, and the model that they train.

    It is used as a context: the processes that train end with it.

    Parameters
    ----------
    settings : FederationSettings
        The settings.
    dataset : Dataset, optional
        The data set in the place of the one that the settings name, such as images that no file
        holds.
    base : Weights, optional
        The pre-trained network of a run with adapters, if there is one already.

    Attributes
    ----------
    dataset : Dataset
        The whole data set, test set included.
    base : Weights, optional
        The network that participants adapt; None where they train all weights.
    rule : Rule
        The server's aggregation rule.
    engine : Engine
        The engine that trains and runs the federation's model.
    """

    def __init__(
        self,
        settings: FederationSettings,
        place: Place | None = None,
        *,
        dataset: Dataset | None = None,
        base: Weights | None = None,
    ) -> None:
        place = place or Place()
        self.settings = settings
        self.rule = make_rule(settings.rule, settings.rule_arguments)
        self.rule.settled(self.updates_a_round)
        if Need.PUBLIC_ROUNDS in self.rule.declaration.needs:
            raise UsageError(
                f"{settings.rule} needs rounds of public data, which a simulation lacks; use "
                "ariba aggregate on its rounds"
            )
        self.dataset = dataset or load_dataset(settings.dataset, place.data_dir)
        images, labels = self.dataset.train_images, self.dataset.train_labels
        self.architecture = architecture_for(settings.model, self.dataset)
        dealt = np.arange(len(labels))
        self.base: Weights | None = None
        if settings.lora is not None:
            check_adaptable(settings.model)
            kept, dealt = set_apart(len(labels), settings.seed)
            self.base = base or pretrain(
                self.architecture, images[kept], labels[kept], settings.seed
            )
            self.architecture = adapted(self.architecture, self.base, settings.lora)
        partition = parse_partition(settings.partition)
        self._shares = [
            dealt[share]
            for share in partition.deal(labels[dealt], settings.participants, settings.seed)
        ]
        check_training(settings.training, self.architecture)
        self.engine = Engine(self.architecture, place.engine, place.device)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.close()

    @cached_property
    def ids(self) -> list[str]:
        """Return the participants: p00, p01, … with as many digits as the last one needs."""
        count = self.settings.participants
        return [f"p{index:0{len(str(count - 1))}d}" for index in range(count)]

    @property
    def updates_a_round(self) -> int:
        """Return the number of participants that answer in each round."""
        settings = self.settings
        return answering(settings.participants, settings.sampled, settings.failing)

    def answering_in(self, number: int) -> list[str]:
        """Return the participants that send an update in a round, in id order."""
        settings = self.settings
        return who_answers(self.ids, settings.sampled, settings.failing, settings.seed, number)

    @cached_property
    def holdings(self) -> dict[str, tuple[int, ...]]:
        """Return the number of samples of each class that every participant holds, by id."""
        classes = self.dataset.classes
        return {
            name: tuple(np.bincount(self.dataset.train_labels[share], minlength=classes).tolist())
            for name, share in zip(self.ids, self._shares, strict=True)
        }

    def samples(self, name: str) -> tuple[FloatArray, LabelArray]:
        """Return the images and labels that a participant holds."""
        share = self._shares[self.ids.index(name)]
        return self.dataset.train_images[share], self.dataset.train_labels[share]

    def quality(self, weights: Weights) -> Quality:
        """Return the quality of a model on the test set."""
        said = self.engine.logits(weights, self.dataset.test_images)
        return quality_of(said, self.dataset.test_labels)

    def initial_weights(self) -> Weights:
        """Return the weights from which the first round starts."""
        return self.architecture.initial_weights(self.settings.seed)

    @cached_property
    def surrogate(self) -> Surrogate:
        """Return the network that an attacker trains alone, from the first model of the server."""
        labels = self.dataset.train_labels
        seed = derived_seed(self.settings.seed, "surrogate")
        drawn = np.random.default_rng(seed).permutation(len(labels))[:_SURROGATE_IMAGES]
        how = replace(self.settings.training, epochs=_SURROGATE_EPOCHS)
        task = Task(self.dataset.train_images[drawn], labels[drawn], how, seed)
        (weights,) = self.engine.train(self.initial_weights(), [task])
        return Surrogate(self.architecture, weights)

    def rounds(
        self,
        weights: Weights | None = None,
        *,
        finished: int = 0,
        hook: UpdateHook | None = None,
        progress: Progress = no_progress,
    ) -> Iterator[TrainedRound]:
        """Train round after round: from scratch, or from the weights after a finished round.

        `progress` is called with the number of participants trained, over all rounds.

        Raises
        ------
        UsageError
            When training has diverged, so that a global model is not finite.
        """
        settings, each = self.settings, self.updates_a_round
        weights = self.initial_weights() if weights is None else weights
        state = "from scratch" if finished == 0 else "going on"
        total = settings.rounds * each
        for number in range(finished + 1, settings.rounds + 1):
            before, what = (number - 1) * each, f"round {number}, {state}"

            def told(done: int, before: int = before, what: str = what) -> None:
                progress(what, before + done, total)

            trained = self._trained_round(number, weights, hook, told)
            weights, quality = trained.following, trained.quality
            state = f"accuracy {quality.accuracy:.3f}, loss {quality.loss:.3f}"
            progress(f"round {number}, {state}", number * each, total)
            yield trained
            # Let go of its updates before there are the next: they are large.
            del trained

    def _trained_round(
        self,
        number: int,
        weights: Weights,
        hook: UpdateHook | None,
        told: Callable[[int], None],
    ) -> TrainedRound:
        compromised = hook.compromised_in(number) if hook is not None else ()
        answer = self.answering_in(number)
        honest = [name for name in answer if name not in compromised]
        tasks = [self.honest_task(name, number) for name in honest]
        updates = dict(zip(honest, self.engine.train(weights, tasks, told), strict=True))
        if hook is not None and compromised:
            updates |= hook.updates(weights, updates, number)
        updates = {name: updates[name] for name in answer}
        following = self.aggregated(weights, updates, number)
        quality = self.quality(following)
        return TrainedRound(number, weights, updates, compromised, following, quality)

    def aggregated(self, weights: Weights, updates: Mapping[str, Weights], number: int) -> Weights:
        """Return the next global model that the server's rule makes of the updates of a round.

        Raises
        ------
        UsageError
            When an update is not finite, or the next global model would not be.
        """
        if not all(is_finite(sent) for sent in updates.values()):
            raise UsageError(DIVERGED)
        noise = noise_seed(self.settings.seed, number)
        following = next_model(
            weights,
            updates,
            self.settings.eta,
            self.rule,
            noise_seed=noise,
            accuracy=lambda tested: self.quality(dict(tested)).accuracy,
        )
        if not is_finite(following):
            raise UsageError(DIVERGED)
        return following

    def honest_task(self, name: str, number: int) -> Task:
        """Return the training task of an honest participant in a round."""
        images, labels = self.samples(name)
        seed = derived_seed(
            self.settings.seed,
            "local training",
            round_number=number,
            participant=self.ids.index(name),
        )
        return Task(images, labels, self.settings.training, seed)


def check_training(how: LocalTraining, architecture: Architecture) -> None:
    """Refuse batches that a model cannot be trained on, and options that an optimizer lacks.

    Raises
    ------
    UsageError
        Says what to use instead.
    """
    if not 0 <= how.momentum < 1:
        raise UsageError(f"momentum must be at least 0 and less than 1, not {how.momentum:g}")
    if how.momentum and how.optimizer != "sgd":
        raise UsageError(f"--momentum needs --optimizer sgd, not {how.optimizer}")
    least = architecture.least_batch
    if how.batch_size < least:
        raise UsageError(
            f"batch normalisation needs --batch-size {least} or more, not {how.batch_size}"
        )


def is_finite(weights: Weights) -> bool:
    """Return True if no tensor has a NaN or an infinity."""
    return all(bool(np.isfinite(values).all()) for values in weights.values())
