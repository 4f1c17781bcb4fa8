"""The settings of an attack."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ariba_cli.base.parameters import Parameter
from ariba_cli.federated.defaults import DEFAULTS
from ariba_cli.federated.training import LocalTraining


@dataclass(frozen=True, kw_only=True)
class AttackSettings:
    """The settings of an attack on a federation.

    Attributes
    ----------
    compromised : tuple of str
        The ids of the compromised; empty to draw `k` participants by the seed.
    k : int, optional
        The number to draw; None for a tenth of all, rounded up.
    trigger : str
        The name of the trigger in `TRIGGERS`.
    strategies : tuple of str
        The names in `STRATEGIES` of the strategies, which are combined.
    arguments : mapping of str to Parameter
        The arguments of the strategies by name, as their declarations have them.
    sigma : float, optional
        σ, the sum of the participants' σ_i; None for n/η, which replaces the model.
    rho : float
        ρ, the weight of the anomaly term in the objective, in [0, 1).
    anomaly : str
        The name in `ANOMALIES` of l_a, the anomaly term.
    target_class : int
        The class that triggered images are to be taken for.
    source_class : int, optional
        The class whose labels are flipped; None for the class after the target.
    poison_ratio : float, optional
        The number of poisoned samples for each of a participant's own samples of other classes than
        the target, in (0, 1]; None for the ratio that suits the trigger.
    backdoor_images : int, optional
        The number of test images on which X'% is measured, drawn by the seed; None for all.
    begins : int
        The first attacked round, when a federation is trained.
    seed : int
        The seed of the attacker's random draws.
    training : LocalTraining
        The local training of a compromised participant.
    against : str, optional
        The auditor, of `AUDITORS`, whose verdict the attacker minimises; None for no auditor.
    tries : int
        The most times that this auditor is asked in a round.
    least_backdoor : float
        The least X'% that a disguise must leave, in [0, 1].
    """

    compromised: tuple[str, ...] = ()
    k: int | None = None
    trigger: str = "pattern"
    strategies: tuple[str, ...] = ("replacement",)
    arguments: Mapping[str, Parameter] = field(default_factory=dict)
    sigma: float | None = None
    rho: float = 0.5
    anomaly: str = "l2"
    target_class: int = 0
    source_class: int | None = None
    poison_ratio: float | None = None
    backdoor_images: int | None = None
    begins: int = 1
    seed: int = 0
    training: LocalTraining = DEFAULTS["digits"].attack
    against: str | None = None
    tries: int = 20
    least_backdoor: float = 0.8
