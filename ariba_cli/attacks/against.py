"""An attacker who knows the auditor, and searches for the updates least unusual to it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ariba_cli.attacks.strategies import update_norm
from ariba_cli.auditing.audit import audit_sent
from ariba_cli.auditing.settings import DEFAULT_LEVEL, AuditSettings
from ariba_cli.base.errors import UsageError
from ariba_cli.base.ids import id_order
from ariba_cli.base.medians import median_of
from ariba_cli.detectors import make_detectors
from ariba_cli.federated.models import Weights
from ariba_cli.federated.randomness import derived_seed
from ariba_cli.formats.memory import model_in_memory
from ariba_cli.rounds.members import GLOBAL_STEM, Member
from ariba_cli.rounds.names import statistics_among
from ariba_cli.updates.intake import Sent, Submission

Float64 = npt.NDArray[np.float64]

AUDITORS = ("panel",)

# The least scale is found to 1/64.
_HALVINGS = 6
_NOISES = (0.5, 1.0, 2.0)
_HONEST_PARTS = (0.5, 0.0)

# A round, by participant → what the auditor says of it.
Judge = Callable[[Mapping[str, Weights]], "Judged"]


@dataclass(frozen=True)
class Judged:
    """The auditor's verdict on a round.

    Attributes
    ----------
    p_values : dict of str to float
        The p-value of each judged participant.
    flagged : tuple of str
        The participants that the auditor flags.
    """

    p_values: dict[str, float]
    flagged: tuple[str, ...]


@dataclass(frozen=True)
class Disguise:
    """A recipe for an update, made of the strategies' update δ and the honest update h.

    The update is scale·δ + honest·h in the attacked layers, and h in the others. Noise is added,
    drawn for each participant, of `noise` times the length of h.

    Attributes
    ----------
    scale, honest, noise : float
        The factors.
    layers : tuple of str
        The attacked layers.
    """

    scale: float
    honest: float
    noise: float
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Reached:
    """The result of a search.

    Attributes
    ----------
    tries : int
        The number of rounds that were shown to the auditor.
    disguise : Disguise, optional
        The disguise that is sent; None for the strategies' own updates.
    p_values : dict of str to float
        The p-values of the compromised.
    flagged : tuple of str
        The compromised that are flagged.
    honest_flagged : tuple of str
        The honest that are flagged.
    longest : float
        The largest length of a compromised update, divided by the median length of the honest ones.
    backdoor_accuracy : float
        X'% after FedAvg.
    """

    tries: int
    disguise: Disguise | None
    p_values: dict[str, float]
    flagged: tuple[str, ...]
    honest_flagged: tuple[str, ...]
    longest: float
    backdoor_accuracy: float


@dataclass(frozen=True)
class Search:
    """A search for a disguise.

    Attributes
    ----------
    start : Weights
        θ^t.
    honest : mapping of str to Weights
        The weights that the honest send.
    forged : mapping of str to Weights
        The weights that the strategies would have the compromised send.
    twins : mapping of str to Weights
        The weights that the compromised would send if they were honest.
    judge : callable
        The auditor.
    backdoor : callable
        Returns X'% after FedAvg of a round.
    least : float
        The least X'% that a disguise must leave, in [0, 1].
    tries : int
        The number of times that the auditor may be asked.
    seed : int
        The seed of the noise.
    """

    start: Weights
    honest: Mapping[str, Weights]
    forged: Mapping[str, Weights]
    twins: Mapping[str, Weights]
    judge: Judge
    backdoor: Callable[[Mapping[str, Weights]], float]
    least: float
    tries: int
    seed: int

    def run(self) -> tuple[dict[str, Weights], Reached, Reached]:
        """Return the weights to send, and the result without and with a disguise.

        Of all disguises that keep the backdoor, take the one whose most unusual participant is the
        least unusual. Try each with the least scale that keeps the backdoor: first all layers, all
        but one, and one alone; then a smaller honest part; then noise.
        """
        plain = self._reached(None, dict(self.forged), 1)
        best, asked = plain, 1
        layers = tuple(dict.fromkeys(_layer(name) for name in self._trained()))
        for stage in _STAGES:
            for proposed in stage(best.disguise, layers):
                found = self._least_scale(proposed) if asked < self.tries else None
                if found is None:
                    continue
                asked += 1
                tried = self._reached(found, self.disguised(found), asked)
                if _rank(tried) > _rank(best) or best.backdoor_accuracy < self.least:
                    best = tried
        sent = self.forged if best.disguise is None else self.disguised(best.disguise)
        return dict(sent), plain, replace(best, tries=asked)

    def disguised(self, disguise: Disguise) -> dict[str, Weights]:
        """Return the weights that the compromised send in a disguise."""
        sent = {}
        for name, forged in self.forged.items():
            twin, weights = self.twins[name], {}
            for tensor, values in self.start.items():
                own: Float64 = twin[tensor].astype(np.float64) - values
                made = own
                if _layer(tensor) in disguise.layers:
                    attack = forged[tensor].astype(np.float64) - values
                    made = disguise.scale * attack + disguise.honest * own
                if disguise.noise:
                    made = made + disguise.noise * self._noise(name, tensor, own)
                weights[tensor] = (values + made).astype(np.float32)
            sent[name] = weights
        return sent

    def _noise(self, name: str, tensor: str, like: Float64) -> Float64:
        """Return noise as long as an honest update in a tensor, seeded by the names of both."""
        draw = np.random.default_rng(derived_seed(self.seed, f"noise of {name} in {tensor}"))
        noise = draw.standard_normal(like.shape)
        found: Float64 = noise * np.sqrt(np.square(like).sum() / np.square(noise).sum())
        return found

    def _trained(self) -> Sequence[str]:
        statistics = statistics_among({name: one.shape for name, one in self.start.items()})
        return [name for name in self.start if name not in statistics]

    def _least_scale(self, disguise: Disguise) -> Disguise | None:
        """Return a disguise with the least scale that keeps the backdoor; None if no scale does."""
        if not self._leaves_it(replace(disguise, scale=1.0)):
            return None
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            if self._leaves_it(replace(disguise, scale=middle)):
                high = middle
            else:
                low = middle
        return replace(disguise, scale=high)

    def _leaves_it(self, disguise: Disguise) -> bool:
        return self.backdoor(self._round(self.disguised(disguise))) >= self.least

    def _round(self, updates: Mapping[str, Weights]) -> dict[str, Weights]:
        """Return the weights that every participant sends, in id order."""
        everybody = {**self.honest, **updates}
        return {name: everybody[name] for name in sorted(everybody, key=id_order)}

    def _reached(
        self, disguise: Disguise | None, updates: Mapping[str, Weights], tries: int
    ) -> Reached:
        together = self._round(updates)
        said = self.judge(together)
        usual = median_of([update_norm(self.start, one) for one in self.honest.values()])
        return Reached(
            tries=tries,
            disguise=disguise,
            p_values={name: said.p_values.get(name, 1.0) for name in updates},
            flagged=tuple(name for name in said.flagged if name in updates),
            honest_flagged=tuple(name for name in said.flagged if name not in updates),
            longest=max(update_norm(self.start, one) for one in updates.values()) / usual,
            backdoor_accuracy=self.backdoor(together),
        )


def _by_layers(_: Disguise | None, layers: tuple[str, ...]) -> Iterator[Disguise]:
    """Yield disguises that attack all layers, all but one, and one alone."""
    whole = Disguise(scale=1.0, honest=1.0, noise=0.0, layers=layers)
    yield whole
    if len(layers) > 1:
        for one in layers:
            yield replace(whole, layers=tuple(other for other in layers if other != one))
        for one in layers:
            yield replace(whole, layers=(one,))


def _by_honest_part(best: Disguise | None, _: tuple[str, ...]) -> Iterator[Disguise]:
    """Yield the best disguise so far with smaller honest parts."""
    if best is not None:
        yield from (replace(best, honest=honest) for honest in _HONEST_PARTS)


def _by_noise(best: Disguise | None, _: tuple[str, ...]) -> Iterator[Disguise]:
    """Yield the best disguise so far with noise."""
    if best is not None:
        yield from (replace(best, noise=noise) for noise in _NOISES)


# What is tried, one after the other, from what is best by then; the scale is found for each.
_STAGES = (_by_layers, _by_honest_part, _by_noise)


def judged_by_panel(start: Weights, updates: Mapping[str, Weights]) -> Judged:
    """Return the verdict of the panel on a round, as an audit with its defaults would give it.

    Parameters
    ----------
    start : Weights
        θ^t.
    updates : mapping of str to Weights
        The weights that every participant sends.
    """
    settings = AuditSettings(level=DEFAULT_LEVEL, detectors=make_detectors(AUDITORS))
    sent = Sent(
        submissions=[
            Submission(Member(name, name), model_in_memory(updates[name]))
            for name in sorted(updates, key=id_order)
        ],
        excluded=(),
        global_model=Submission(Member(GLOBAL_STEM, GLOBAL_STEM), model_in_memory(start)),
        model_order=list(start),
        updates_are_deltas=False,
    )
    found = audit_sent(sent, settings)
    return Judged(
        p_values={one.id: one.p_value for one in found.deciding.scores if one.p_value is not None},
        flagged=tuple(one.id for one in found.suspects),
    )


def check_against(auditor: str | None, tries: int, least: float) -> None:
    """Refuse an unknown auditor, and settings with which no search is possible.

    Raises
    ------
    UsageError
        Says what to use.
    """
    if auditor is not None and auditor not in AUDITORS:
        raise UsageError(f"--against does not know '{auditor}'; use {', '.join(AUDITORS)}")
    if tries < 1 or not 0 <= least <= 1:
        raise UsageError(
            "--tries must be at least 1 and --least-backdoor from 0 to 1, not "
            f"{tries} and {least:g}"
        )


def _layer(tensor: str) -> str:
    """Return the layer of a tensor: `fc1` for `fc1.weight`."""
    return tensor.rpartition(".")[0] or tensor


def _rank(reached: Reached) -> tuple[float, int, float]:
    """Return the sort key of a disguise: the least p-value, the number flagged, and the length.

    A p-value is never less than a floor, and many disguises lie on it.
    """
    return min(reached.p_values.values()), -len(reached.flagged), -reached.longest
