"""What an attack did: who was compromised, and how the global model does before and after."""

from dataclasses import asdict, dataclass

from ariba_cli.attacks.against import Reached
from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.attacks.strategies import settled
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
    after : the global model that the rule of the run makes of the attacked round.
    reached : what the auditor says of the round without a disguise, and with it; None where the
        attack is against nobody.
    """

    compromised: tuple[str, ...]
    sigma: float | None
    before: Measured
    after: Measured
    settings: AttackSettings
    reached: tuple[Reached, Reached] | None = None

    def truth(self) -> Truth:
        """As it stands beside the round."""
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
