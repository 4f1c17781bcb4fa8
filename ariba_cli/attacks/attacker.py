"""The attacker behind the compromised participants of a federation."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from ariba_cli.attacks.against import Reached, Search, check_against, judged_by_panel
from ariba_cli.attacks.backdoor import aim_of, backdoor_images
from ariba_cli.attacks.choosing import check_settings, choose_compromised
from ariba_cli.attacks.outcome import Forged, Measured
from ariba_cli.attacks.poisoning import Poisoning
from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.attacks.strategies import HonestUpdates, Need, Situation, combined
from ariba_cli.base.errors import UsageError
from ariba_cli.federated.federation import DIVERGED, Federation, check_training, is_finite
from ariba_cli.federated.models import Weights
from ariba_cli.federated.quality import agreement
from ariba_cli.federated.randomness import derived_seed


class Attacker:
    """The maker of the compromised updates, who also measures the global model.

    Parameters
    ----------
    federation : Federation
        The federation.
    settings : AttackSettings
        The settings of the attack.
    among : sequence of str, optional
        The participants that may be compromised; all of them by default.

    Attributes
    ----------
    compromised : tuple of str
        The ids of the compromised, in order.
    sigma : float, optional
        σ; None where no strategy scales by it.

    Raises
    ------
    UsageError
        When a setting does not fit the federation.
    """

    def __init__(
        self,
        federation: Federation,
        settings: AttackSettings,
        among: Sequence[str] | None = None,
    ) -> None:
        check_settings(settings, federation.dataset)
        check_against(settings.against, settings.tries, settings.least_backdoor)
        check_training(settings.training, federation.architecture)
        self.settings = settings
        self.compromised = choose_compromised(among or federation.ids, settings)
        self._federation = federation
        answering = federation.updates_a_round
        replaces = answering / federation.settings.eta
        self._sigma = settings.sigma if settings.sigma is not None else replaces
        self.sigma = self._sigma if "replacement" in settings.strategies else None
        self._reached: tuple[Reached, Reached] | None = None
        self._strategies = tuple(combined(settings))
        together = self._most_in_a_round() if among is None else len(self.compromised)
        for strategy in self._strategies:
            strategy.check_fits(federation.architecture, answering, together)
        self._poisoning = Poisoning(federation, settings)
        self._tested = backdoor_images(
            federation.dataset,
            settings.trigger,
            aim_of(federation, settings.trigger, settings.target_class, settings.seed),
            settings.backdoor_images,
        )

    def compromised_in(self, number: int) -> tuple[str, ...]:
        """Return the compromised that answer in a round; none before the attack begins."""
        if number < self.settings.begins:
            return ()
        answer = self._federation.answering_in(number)
        return tuple(name for name in self.compromised if name in answer)

    def _most_in_a_round(self) -> int:
        """Return the largest number of compromised that answer in one round.

        Raises
        ------
        UsageError
            When there is a round in which nobody else answers.
        """
        settings, most = self._federation.settings, 0
        for number in range(self.settings.begins, settings.rounds + 1):
            count = len(self.compromised_in(number))
            if count == self._federation.updates_a_round:
                raise UsageError(
                    f"in round {number} only the {count} compromised participants answer; "
                    "compromise fewer, ask more with --sampled, or take another --seed"
                )
            most = max(most, count)
        return most

    def updates(
        self,
        global_weights: Weights,
        honest: Mapping[str, Weights],
        number: int,
        done: Callable[[int], None] = lambda _: None,
        *,
        own: Mapping[str, Weights] | None = None,
    ) -> dict[str, Weights]:
        """Return the weights that the compromised send in a round.

        Parameters
        ----------
        global_weights : Weights
            θ^t.
        honest : mapping of str to Weights
            The weights that the others send, by id.
        number : int
            The number of the round.
        done : callable
            Called with the number of participants trained so far.
        own : mapping of str to Weights, optional
            The weights that the compromised would send if they were honest; None to train these
            where a strategy needs them.

        Raises
        ------
        UsageError
            When σ is so large that an update overflows, or the honest ones did already.
        """
        seen = HonestUpdates(global_weights, honest)
        if not np.isfinite(seen.norms).all():
            raise UsageError(DIVERGED)
        situations = self._situations(seen, number, own)
        trained = self._trained(situations, number, done)
        sent = {}
        for name, situation in situations.items():
            weights = trained[name]
            for strategy in self._strategies:
                weights = strategy.sent(situation, weights)
            if not is_finite(weights):
                raise UsageError(
                    "sigma is so large that float32 cannot hold the updates; use a smaller one"
                )
            sent[name] = weights
        if self.settings.against is not None:
            sent = self._disguised(seen.start, honest, sent, situations, number)
        return sent

    def measure(self, weights: Weights) -> Measured:
        """Return the accuracy on the test set, and X'% on the trigger's test images."""
        return Measured(
            accuracy=self._federation.quality(weights).accuracy,
            backdoor_accuracy=self.backdoor_accuracy(weights),
        )

    def forged(self, before: Weights, after: Measured) -> Forged:
        """Return the outcome of the attack.

        Parameters
        ----------
        before : Weights
            The global model before the round.
        after : Measured
            The accuracies of the global model after it.
        """
        return Forged(
            self.compromised,
            self.sigma,
            before=self.measure(before),
            after=after,
            settings=self.settings,
            reached=self._reached,
        )

    def backdoor_accuracy(self, weights: Weights) -> float:
        """Return X'%: the share of the trigger's test images taken for the target class."""
        said = self._federation.engine.logits(weights, self._tested)
        return agreement(said, np.full(len(self._tested), self.settings.target_class))

    def _disguised(
        self,
        start: Weights,
        honest: Mapping[str, Weights],
        forged: Mapping[str, Weights],
        situations: Mapping[str, Situation],
        number: int,
    ) -> dict[str, Weights]:
        """Return the weights to send so that the auditor finds them the least unusual."""

        def backdoor(updates: Mapping[str, Weights]) -> float:
            return self.backdoor_accuracy(self._federation.aggregated(start, updates, number))

        search = Search(
            start=start,
            honest=honest,
            forged=forged,
            twins={name: own for name, one in situations.items() if (own := one.twin) is not None},
            judge=lambda updates: judged_by_panel(start, updates),
            backdoor=backdoor,
            least=self.settings.least_backdoor,
            tries=self.settings.tries,
            seed=derived_seed(self.settings.seed, "disguise", round_number=number),
        )
        sent, *reached = search.run()
        self._reached = (reached[0], reached[1])
        return sent

    def _situations(
        self, honest: HonestUpdates, number: int, own: Mapping[str, Weights] | None
    ) -> dict[str, Situation]:
        """Return the situation of each of the compromised, by id."""
        twins, who = self._twins(honest.start, number, own), self.compromised_in(number)
        situations = {}
        for name in who:
            held = self._poisoning.held(name, self.compromised.index(name))
            situations[name] = Situation(
                honest=honest,
                compromised=len(who),
                sigma_i=self._sigma / len(who),
                seed=self._poisoning.seed("noise", name, number),
                held=held,
                target_class=self.settings.target_class,
                logits=self._federation.engine.logits,
                gradient=partial(self._federation.engine.gradient, honest.start),
                twin=twins.get(name),
            )
        return situations

    def _twins(
        self, start: Weights, number: int, own: Mapping[str, Weights] | None
    ) -> Mapping[str, Weights]:
        """Return what the compromised would send if they were honest, where a strategy needs it."""
        needs = [strategy.declaration.needs for strategy in self._strategies]
        if self.settings.against is None and not any(Need.TWIN in one for one in needs):
            return {}
        if own is not None:
            return own
        who = self.compromised_in(number)
        tasks = [self._federation.honest_task(name, number) for name in who]
        trained = self._federation.engine.train(start, tasks)
        return dict(zip(who, trained, strict=True))

    def _trained(
        self, situations: Mapping[str, Situation], number: int, done: Callable[[int], None]
    ) -> Mapping[str, Weights]:
        """Return the global model after local training, where a strategy makes use of it."""
        start = next(iter(situations.values())).start
        if not all(strategy.declaration.trains for strategy in self._strategies):
            return dict.fromkeys(situations, start)
        tasks = []
        for name, situation in situations.items():
            task = self._poisoning.task(start, name, number, situation.held, self._strategies)
            for strategy in self._strategies:
                task = strategy.task(situation, task)
            tasks.append(task)
        trained = self._federation.engine.train(start, tasks, done)
        if not all(is_finite(weights) for weights in trained):
            raise UsageError(
                "the training of the compromised has diverged: their weights are not finite; "
                "use a smaller --learning-rate"
            )
        return dict(zip(situations, trained, strict=True))
