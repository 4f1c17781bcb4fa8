"""The federations of the matrix, and the attacks on them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.federated.defaults import DEFAULTS
from ariba_cli.federated.federation import FederationSettings
from benchmarks.honest import Base
from benchmarks.seeds import DEVELOPMENT, REPORTING, checked

CLEAN = "clean"
NORM_MATCHED = "norm-matched"
OWN_TRAINING = "norm-matched after training of their own"
GOING_ON = "norm-matched for ten rounds"
_LONG = 10
PARTITIONS = ("iid", "dirichlet:0.5", "dirichlet:0.1")


@dataclass(frozen=True, kw_only=True)
class Attack:
    """An attack on an honest round.

    Attributes
    ----------
    family : str
        The name in tables.
    k : int
        The number of compromised participants.
    strategies : tuple of str
        The strategies, as `ariba attack` takes them.
    boost : float
        The factor by which each scales its update, with the strategy replacement.
    trigger : str
        The trigger, as `ariba attack` takes it.
    tricks : tuple of str
        The names in `adaptive.TRICKS` of the changes to the finished updates.
    as_honest : bool
        True if the compromised train like the honest, with the same optimiser for as long; False
        for the defaults of `ariba attack`, which alone tell them from the honest.
    rounds : int
        The number of rounds for which they go on, of which the last is audited.
    """

    family: str
    k: int
    strategies: tuple[str, ...] = ()
    boost: float = 1.0
    trigger: str = "pattern"
    tricks: tuple[str, ...] = ()
    as_honest: bool = True
    rounds: int = 1

    @property
    def name(self) -> str:
        """Return the unique name of the attack, for directories."""
        words = [self.family.replace(" ", "-").replace("×", "x"), f"k{self.k}"]
        return "-".join([*words, *([self.trigger] if self.trigger != "pattern" else [])])

    @property
    def is_plain(self) -> bool:
        """Return True if `ariba attack` alone makes it, and measures its effect."""
        return self.rounds == 1 and not self.tricks and not self.flips_labels

    @property
    def flips_labels(self) -> bool:
        """Return True if it makes images of one class look like another, without a trigger."""
        return "label-flipping" in self.strategies

    def settings(self, run: FederationSettings, classes: int) -> AttackSettings:
        """Return the attacker's settings for a run, whose seed draws the target, too."""
        return AttackSettings(
            k=self.k,
            trigger=self.trigger,
            strategies=self.strategies,
            sigma=self.boost * self.k if "replacement" in self.strategies else None,
            target_class=run.seed % classes,
            seed=run.seed,
            begins=run.rounds - self.rounds + 1,
            training=run.training if self.as_honest else DEFAULTS[run.dataset].attack,
        )


def _boosted(boost: float, k: int, trigger: str = "pattern") -> Attack:
    """Return an attack that is scaled; only training that harms nothing else can be scaled much."""
    family = f"boosted ×{boost:g}" if boost > 1 else "reduced ×1"
    return Attack(
        family=family,
        k=k,
        strategies=("replacement",),
        boost=boost,
        trigger=trigger,
        as_honest=boost == 1,
    )


def _matched(k: int, trigger: str = "pattern") -> Attack:
    return Attack(family=NORM_MATCHED, k=k, strategies=("norm-matching",), trigger=trigger)


def _adaptive(family: str, k: int, *tricks: str) -> Attack:
    return Attack(family=family, k=k, strategies=("norm-matching",), tricks=tricks)


# Of 50 participants.
ALL_ATTACKS = (
    _boosted(10, 5),
    _boosted(10, 1),
    _boosted(10, 5, "semantic"),
    _boosted(3, 5),
    _boosted(1, 5),
    _matched(1),
    _matched(3),
    _matched(5),
    _matched(10),
    _matched(20),
    _matched(5, "semantic"),
    _matched(5, "targeted"),
    *(
        Attack(family=OWN_TRAINING, k=k, strategies=("norm-matching",), as_honest=False)
        for k in (1, 5)
    ),
    *(
        Attack(family=GOING_ON, k=k, strategies=("norm-matching",), rounds=_LONG)
        for k in (1, 5, 10)
    ),
    Attack(family="constrained", k=5, strategies=("anomalous", "norm-matching")),
    Attack(family="label flipping", k=5, strategies=("label-flipping",)),
    Attack(family="label flipping", k=15, strategies=("label-flipping",)),
    Attack(family="noise", k=5, strategies=("noise",)),
    _adaptive("adaptive along", 5, "along"),
    _adaptive("adaptive bias", 5, "bias"),
    _adaptive("adaptive both", 5, "along", "bias"),
    _adaptive("adaptive both", 1, "along", "bias"),
    _adaptive("adaptive all", 5, "along", "sums", "bias"),
)
# Where a federation takes long to train, it is not trained again for an attack.
_OF_ONE_ROUND = tuple(attack for attack in ALL_ATTACKS if attack.rounds == 1)
# Of other numbers of participants, and of networks that take long.
FEW_ATTACKS = (_boosted(10, 2), _boosted(1, 2), _matched(1), _matched(3), _matched(5))


@dataclass(frozen=True)
class Kind:
    """A federation with the attacks on its last round."""

    base: Base
    attacks: tuple[Attack, ...]


@dataclass(frozen=True)
class Matrix:
    """The rounds on which all detectors are measured.

    Attributes
    ----------
    purpose : str
        The purpose of its seeds.
    kinds : tuple of Kind
        The federations.
    seeds : tuple of int
        The seeds; each federation is simulated once with each.
    """

    purpose: str
    kinds: tuple[Kind, ...]
    seeds: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse seeds of the other purpose."""
        checked(self.purpose, self.seeds)


def _kinds() -> Iterator[Kind]:
    for partition in PARTITIONS:
        yield Kind(Base(partition=partition, epochs=3), ALL_ATTACKS)
        yield Kind(Base(optimizer="sgd", partition=partition, epochs=3), ALL_ATTACKS)
    for model in ("mlp", "wide-cnn"):
        for partition in PARTITIONS:
            yield Kind(Base(model=model, partition=partition, epochs=3), ALL_ATTACKS)
    for n in (20, 100):
        yield Kind(Base(participants=n, epochs=3), FEW_ATTACKS)
    for partition in PARTITIONS[:2]:
        own = Base(partition=partition, rounds=20, every=10)
        for model in ("resnet8", "resnet8-gn", "transformer"):
            yield Kind(replace(own, model=model), FEW_ATTACKS)
        yield Kind(replace(own, model="transformer", lora=4), FEW_ATTACKS)
    yield Kind(Base(model="resnet18", participants=20, epochs=3, rounds=10, every=5), FEW_ATTACKS)
    for dataset in ("mnist", "fashion-mnist"):
        for partition in PARTITIONS:
            yield Kind(
                Base(dataset=dataset, partition=partition, rounds=12, every=6), _OF_ONE_ROUND
            )
    for model in ("cnn", "resnet8", "resnet18"):
        yield Kind(
            Base(dataset="cifar10", model=model, participants=20, rounds=12, every=6), FEW_ATTACKS
        )


MATRICES = {
    DEVELOPMENT: Matrix(DEVELOPMENT, tuple(_kinds()), (1, 2, 3, 4, 5)),
    REPORTING: Matrix(REPORTING, tuple(_kinds()), (5009, 5010, 5011, 5012)),
}
