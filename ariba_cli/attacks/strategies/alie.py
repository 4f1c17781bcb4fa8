"""A little is enough: an update as far from the mean as many honest ones, in every coordinate."""

from statistics import NormalDist

from ariba_cli.attacks.strategies.declaration import Declaration, Need, Stage
from ariba_cli.attacks.strategies.forging import Forging, check_spread
from ariba_cli.attacks.strategies.honest import Deltas
from ariba_cli.attacks.strategies.strategy import Situation
from ariba_cli.base.declared import Argument
from ariba_cli.base.errors import UsageError
from ariba_cli.federated.models import Architecture


class LittleIsEnough(Forging):
    """An update of the mean of the honest updates plus z of their standard deviations."""

    declaration = Declaration(
        name="alie",
        stage=Stage.FORGING,
        summary="the mean of the honest updates plus z standard deviations in every coordinate, "
        "which is as far out as some honest updates are",
        equation="δ = mean δ_i + z·std δ_i, z = Φ⁻¹((n−m−s)/(n−m)), s = ⌊n/2+1⌋−m; std with ddof 1",
        source="Baruch et al., A little is enough, 2019",
        purpose="an untargeted loss of accuracy within the spread of the honest",
        needs=frozenset({Need.HONEST_UPDATES}),
        arguments={
            "z": Argument(
                "z, the number of standard deviations",
                otherwise="the z that leaves s honest participants farther out",
            )
        },
    )

    def check_fits(self, architecture: Architecture, participants: int, compromised: int) -> None:
        """Refuse a majority of the compromised, for whom no z exists, and a single honest one."""
        del architecture
        check_spread("alie", participants, compromised)
        if self.argument("z") is None and supporters(participants, compromised) < 1:
            raise UsageError(
                f"alie has no default z for {compromised} attackers among {participants} "
                "participants, a majority; compromise fewer, or give --strategy-arg z=1.5"
            )

    def forged(self, situation: Situation) -> Deltas:
        """Return mean + z·std."""
        honest, m = situation.honest, situation.compromised
        z = default_z(len(honest) + m, m) if self.argument("z") is None else self.number("z")
        return {name: mean + z * honest.deviation[name] for name, mean in honest.mean.items()}


def supporters(n: int, m: int) -> int:
    """Return s = ⌊n/2+1⌋ − m, the number of the honest who must be won for a majority."""
    return n // 2 + 1 - m


def default_z(n: int, m: int) -> float:
    """Return z = Φ⁻¹((n−m−s)/(n−m)) for m compromised of n participants."""
    honest = n - m
    return NormalDist().inv_cdf((honest - supporters(n, m)) / honest)
