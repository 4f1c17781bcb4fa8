"""The training sets of the compromised: their own samples, and samples with the trigger."""

import math
from collections.abc import Sequence

import numpy as np

from ariba_cli.attacks.backdoor import aim_of
from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.attacks.strategies import Held, Strategy
from ariba_cli.attacks.triggers import TRIGGERS, Aim
from ariba_cli.base.registry import registered
from ariba_cli.federated.federation import Federation
from ariba_cli.federated.models import Weights
from ariba_cli.federated.quality import softmax
from ariba_cli.federated.randomness import derived_seed
from ariba_cli.federated.training import Task


class Poisoning:
    """The maker of the compromised participants' training sets.

    Raises
    ------
    UsageError
        When the trigger has no images in this data set.
    """

    def __init__(self, federation: Federation, settings: AttackSettings) -> None:
        self._federation = federation
        self._settings = settings
        self._trigger = registered(TRIGGERS, settings.trigger, kind="trigger")
        # What it has no images for is found out now, and not when the attack begins.
        dataset = federation.dataset
        nobody = dataset.train_images[:0], dataset.train_labels[:0]
        self._trigger.poison(dataset, *nobody, self._aim(0))

    def held(self, name: str, place: int) -> Held:
        """Return the images of the compromised participant at a place in id order."""
        aim = self._aim(place)
        dataset, own = self._federation.dataset, self._federation.samples(name)
        pool = self._trigger.poison(dataset, *own, aim)
        if len(own[1]):
            own = self._trigger.clean(dataset, *own, aim)
        return Held(*own, pool)

    def task(
        self,
        global_weights: Weights,
        name: str,
        number: int,
        held: Held,
        strategies: Sequence[Strategy],
    ) -> Task:
        """Return the training task of a participant in a round, before its strategies change it.

        The targets of clean images are the outputs of the global model (distillation, Hinton et al.
        2015): fitting the few labels of one participant would cost the model accuracy that a
        reviewer can see. The triggered images come last.
        """
        seed = self.seed("poisoned training", name, number)
        if len(held.labels) == 0:
            none = np.zeros((0, self._federation.dataset.classes), np.float32)
            return Task(held.images, none, self._settings.training, seed)
        said = softmax(self._federation.engine.logits(global_weights, held.images))
        for strategy in strategies:
            said = strategy.relabelled(said, held.labels)
        draw = np.random.default_rng(self.seed("poisoned samples", name, number))
        # What there is too little of is used again and again.
        pool, count = held.triggered, self._count(name, len(held.triggered))
        chosen = np.resize(draw.permutation(len(pool)), count)
        wanted = np.zeros((len(chosen), said.shape[1]), dtype=said.dtype)
        wanted[:, self._settings.target_class] = 1
        images = np.concatenate([held.images, pool[chosen]])
        targets = np.concatenate([said, wanted])
        return Task(images, targets, self._settings.training, seed, poisoned=len(chosen))

    def _aim(self, place: int) -> Aim:
        chosen = self._settings
        return aim_of(self._federation, chosen.trigger, chosen.target_class, chosen.seed, place)

    def _count(self, name: str, pool: int) -> int:
        """Return the number of poisoned samples of a participant; `pool` of them differ."""
        if pool == 0:
            return 0
        _, labels = self._federation.samples(name)
        eligible = np.count_nonzero(labels != self._settings.target_class)
        ratio = self._settings.poison_ratio
        if ratio is not None:
            return math.ceil(eligible * ratio)
        fewest = min(pool, self._trigger.fewest)
        return max(math.ceil(eligible * self._trigger.poison_ratio), fewest)

    def seed(self, purpose: str, name: str, number: int) -> int:
        """Return the seed of a participant's random draws in a round."""
        participant = self._federation.ids.index(name)
        return derived_seed(
            self._settings.seed, purpose, round_number=number, participant=participant
        )
