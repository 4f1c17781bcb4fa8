"""The attacker: whoever is behind the compromised participants of a federation."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.attacks.strategies import ANOMALIES, Situation, combined, update_norm
from ariba_cli.attacks.triggers import TRIGGERS, Aim
from ariba_cli.base.errors import UsageError
from ariba_cli.base.registry import registered
from ariba_cli.federated.datasets import Dataset, FloatArray
from ariba_cli.federated.federation import DIVERGED, Federation, check_training, is_finite
from ariba_cli.federated.models import Weights
from ariba_cli.federated.quality import agreement, softmax
from ariba_cli.federated.randomness import derived_seed
from ariba_cli.federated.training import Task
from ariba_cli.rounds.truth import Truth


@dataclass(frozen=True)
class Measured:
    """How a global model does: accuracy, and backdoor accuracy X'%, both in [0, 1]."""

    accuracy: float
    backdoor_accuracy: float


@dataclass(frozen=True)
class Forged:
    """What an attack did.

    Attributes
    ----------
    before : the global model that the server had sent out.
    after : the global model that plain FedAvg makes of the attacked round.
    """

    compromised: tuple[str, ...]
    sigma: float | None
    before: Measured
    after: Measured
    settings: AttackSettings

    def truth(self) -> Truth:
        """As it stands beside the round."""
        attack = asdict(self.settings)
        del attack["compromised"], attack["k"], attack["begins"]
        attack |= {
            "sigma": self.sigma,
            "before": asdict(self.before),
            "after": asdict(self.after),
        }
        return Truth(self.compromised, attack)


class Attacker:
    """Makes the updates of the compromised, and measures what becomes of the global model.

    Attributes
    ----------
    compromised : who is, in id order.
    sigma : σ; None where no strategy scales by it.

    Raises
    ------
    UsageError
        When a setting does not fit the federation.
    """

    def __init__(self, federation: Federation, settings: AttackSettings) -> None:
        _check(settings, federation.dataset)
        check_training(settings.training, federation.architecture)
        self.settings = settings
        self.compromised = _choose(federation.ids, settings)
        run = federation.settings
        replaces = run.participants / run.eta
        self._sigma = settings.sigma if settings.sigma is not None else replaces
        self.sigma = self._sigma if "replacement" in settings.strategies else None
        self._federation = federation
        self._trigger = registered(TRIGGERS, settings.trigger, kind="trigger")
        self._aim = Aim(settings.target_class, settings.seed)
        self._strategies = combined(settings)
        self._tested = backdoor_images(
            federation.dataset, settings.trigger, self._aim, settings.backdoor_images
        )
        # What it has no images for is found out now, and not when the attack begins.
        nobody = federation.dataset.train_images[:0], federation.dataset.train_labels[:0]
        self._trigger.poison(federation.dataset, *nobody, self._aim)

    def compromised_in(self, number: int) -> tuple[str, ...]:
        """Who is compromised in a round of a federation that is trained."""
        return self.compromised if number >= self.settings.begins else ()

    def updates(
        self,
        global_weights: Weights,
        honest: Mapping[str, Weights],
        number: int,
        done: Callable[[int], None] = lambda _: None,
    ) -> dict[str, Weights]:
        """What the compromised send in a round; `done` is told how many have been trained.

        Raises
        ------
        UsageError
            When σ is so large that an update overflows, or the honest ones did already.
        """
        norms = [update_norm(global_weights, weights) for weights in honest.values()]
        if not np.isfinite(norms).all():
            raise UsageError(DIVERGED)
        engine, tasks = self._federation.engine, self._tasks(global_weights, number)
        trained = engine.train(global_weights, tasks, done) if tasks else []
        sent = {}
        for index, name in enumerate(self.compromised):
            weights = trained[index] if trained else global_weights
            if not is_finite(weights):
                raise UsageError(
                    "the training of the compromised has diverged: their weights are not finite; "
                    "use a smaller --learning-rate"
                )
            situation = Situation(
                global_weights,
                self._sigma / len(self.compromised),
                float(np.median(norms)),
                self._seed("noise", name, number),
            )
            for strategy in self._strategies:
                weights = strategy.sent(situation, weights)
            if not is_finite(weights):
                raise UsageError("sigma is so large that float32 cannot hold the updates; use less")
            sent[name] = weights
        return sent

    def measure(self, weights: Weights) -> Measured:
        """Accuracy on the test set, and X'% on what the trigger is tested on."""
        return Measured(
            accuracy=self._federation.quality(weights).accuracy,
            backdoor_accuracy=self.backdoor_accuracy(weights),
        )

    def forged(self, before: Weights, after: Measured) -> Forged:
        """What the attack did, given the global model before the round, and how that after does."""
        return Forged(
            self.compromised,
            self.sigma,
            before=self.measure(before),
            after=after,
            settings=self.settings,
        )

    def backdoor_accuracy(self, weights: Weights) -> float:
        """X'%: the share of the trigger's test images that are taken for the target class."""
        said = self._federation.engine.logits(weights, self._tested)
        return agreement(said, np.full(len(self._tested), self.settings.target_class))

    def _tasks(self, global_weights: Weights, number: int) -> list[Task]:
        """What the compromised train, where that is of any use."""
        if not all(strategy.trains for strategy in self._strategies):
            return []
        objectives = [strategy.objective() for strategy in self._strategies]
        objective = next((one for one in objectives if one is not None), None)
        tasks = []
        for name in self.compromised:
            images, targets = self._poisoned(global_weights, name, number)
            seed = self._seed("poisoned training", name, number)
            tasks.append(Task(images, targets, self.settings.training, seed, objective))
        return tasks

    def _poisoned(
        self, global_weights: Weights, name: str, number: int
    ) -> tuple[FloatArray, FloatArray]:
        """The participant's own images, and some with the trigger and the target class.

        What is wanted of the clean ones is what the global model says of them already
        (distillation, Hinton et al. 2015): fitting the few labels of one participant
        would cost the model accuracy that a reviewer can see.
        """
        images, labels = self._federation.samples(name)
        if len(labels) == 0:
            return images, np.zeros((0, self._federation.dataset.classes), np.float32)
        said = softmax(self._federation.engine.logits(global_weights, images))
        for strategy in self._strategies:
            said = strategy.relabelled(said, labels)
        eligible = np.count_nonzero(labels != self.settings.target_class)
        ratio = self.settings.poison_ratio
        count = math.ceil(eligible * (self._trigger.poison_ratio if ratio is None else ratio))
        pool = self._trigger.poison(self._federation.dataset, images, labels, self._aim)
        draw = np.random.default_rng(self._seed("poisoned samples", name, number))
        # What there is too little of is used again and again.
        chosen = np.resize(draw.permutation(len(pool)), count if len(pool) else 0)
        wanted = np.zeros((len(chosen), said.shape[1]), dtype=said.dtype)
        wanted[:, self.settings.target_class] = 1
        return np.concatenate([images, pool[chosen]]), np.concatenate([said, wanted])

    def _seed(self, purpose: str, name: str, number: int) -> int:
        participant = self._federation.ids.index(name)
        return derived_seed(
            self.settings.seed, purpose, round_number=number, participant=participant
        )


def backdoor_images(
    dataset: Dataset, trigger: str, aim: Aim, count: int | None = None
) -> FloatArray:
    """The test images on which X'% of a trigger is measured.

    Parameters
    ----------
    trigger : its name in `TRIGGERS`.
    count : how many of them at most, drawn by the seed; None for all.

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


def check_class(label: int, dataset: Dataset) -> None:
    """Refuse a class that a data set does not have.

    Raises
    ------
    UsageError
        Says which it has.
    """
    if not 0 <= label < dataset.classes:
        raise UsageError(
            f"there is no class {label} in {dataset.name}; its classes are 0 to "
            f"{dataset.classes - 1}"
        )


def _check(settings: AttackSettings, dataset: Dataset) -> None:
    for label in (settings.target_class, settings.source_class):
        if label is not None:
            check_class(label, dataset)
    registered(ANOMALIES, settings.anomaly, kind="anomaly term")
    if settings.source_class == settings.target_class:
        raise UsageError("--source-class and --target-class are the same; nothing would be flipped")
    if not 0 <= settings.rho < 1:
        raise UsageError(f"rho is {settings.rho:g}; it must be at least 0 and less than 1")
    if settings.sigma is not None and not 0 <= settings.sigma < math.inf:
        raise UsageError(f"sigma is {settings.sigma:g}; it must be a number of at least 0")


def _choose(ids: Sequence[str], settings: AttackSettings) -> tuple[str, ...]:
    """Who is compromised, in id order."""
    named = settings.compromised
    unknown = sorted(set(named) - set(ids))
    if unknown:
        raise UsageError(f"there is no participant '{unknown[0]}'; they are {ids[0]} to {ids[-1]}")
    if named and settings.k is not None:
        raise UsageError("--k draws participants and --compromised names them; use one of the two")
    k = len(set(named)) or settings.k
    if k is None:
        k = math.ceil(len(ids) / 10)
    if not 1 <= k < len(ids):
        raise UsageError(
            f"{k} of {len(ids)} participants cannot be compromised; name 1 to {len(ids) - 1}"
        )
    if named:
        return tuple(name for name in ids if name in named)
    draw = np.random.default_rng(derived_seed(settings.seed, "compromised")).permutation(len(ids))
    return tuple(ids[index] for index in sorted(draw[:k]))
