"""The outcome of an attack: the compromised, and the global model before and after."""

from dataclasses import asdict, dataclass

from ariba_cli.attacks.against import Reached
from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.attacks.strategies import settled
from ariba_cli.rounds.truth import Truth


@dataclass(frozen=True)
class Measured:
    """The measured accuracies of a global model.

    Attributes
    ----------
    accuracy : float
        The accuracy on the test set, in [0, 1].
    backdoor_accuracy : float
        The backdoor accuracy X'%, in [0, 1].
    """

    accuracy: float
    backdoor_accuracy: float


@dataclass(frozen=True)
class Forged:
    """The outcome of an attack.

    Attributes
    ----------
    compromised : tuple of str
        The ids of the compromised.
    sigma : float, optional
        σ; None where no strategy scales by it.
    before : Measured
        The accuracies of the global model that the server sent out.
    after : Measured
        The accuracies of the global model that the run's rule makes of the attacked round.
    settings : AttackSettings
        The settings of the attack.
    reached : tuple of Reached, optional
        The search's result without a disguise, and with it; None for an attack against no auditor.
    """

    compromised: tuple[str, ...]
    sigma: float | None
    before: Measured
    after: Measured
    settings: AttackSettings
    reached: tuple[Reached, Reached] | None = None

    def truth(self) -> Truth:
        """Return the ground truth to write beside the round."""
        attack = asdict(self.settings)
        del attack["compromised"], attack["k"], attack["begins"]
        attack |= {
            "arguments": settled(self.settings),
            "sigma": self.sigma,
            "before": asdict(self.before),
            "after": asdict(self.after),
        }
        if self.reached is not None:
            plain, disguised = self.reached
            attack["audited"] = {"plain": asdict(plain), "disguised": asdict(disguised)}
        return Truth(self.compromised, attack)
