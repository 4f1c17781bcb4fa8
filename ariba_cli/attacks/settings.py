"""What an attacker is asked to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ariba_cli.base.parameters import Parameter
from ariba_cli.federated.defaults import DEFAULTS
from ariba_cli.federated.training import LocalTraining


@dataclass(frozen=True, kw_only=True)
class AttackSettings:
    """How a federation is attacked.

    Attributes
    ----------
    compromised : who; empty to draw `k` participants from the seed.
    k : how many to draw; None for a tenth of all, rounded up.
    trigger : its name in `TRIGGERS`.
    strategies : their names in `STRATEGIES`; they are combined.
    arguments : those of the strategies by name, as their declarations have them.
    sigma : σ, the sum of the participants' σ_i; None for n/η, which replaces the model.
    rho : ρ, the weight of the anomaly term in the objective, in [0, 1).
    anomaly : l_a, the anomaly term, by its name in `ANOMALIES`.
    target_class : what triggered images are to be taken for.
    source_class : whose labels are flipped; None for the class after the target.
    poison_ratio : how many poisoned samples go to each of a participant's own samples of
        other classes than the target, in (0, 1]; None for what the trigger works well with.
    backdoor_images : on how many test images X'% is measured, drawn by the seed; None for all.
    begins : the first round that is attacked, when a federation is trained.
    training : how a compromised participant trains.
    against : the auditor whose verdict the attacker minimises, of `AUDITORS`; None for nobody's.
    tries : how often that auditor is asked at most in a round.
    least_backdoor : X'%, in [0, 1], that has to be left then.
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
