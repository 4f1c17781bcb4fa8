"""The federations that are attacked for many rounds, and the attacks."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.detection.matrix import Attack
from benchmarks.honest import WITHOUT_FILES, Base
from benchmarks.seeds import DEVELOPMENT, REPORTING, checked

# So many rounds are attacked, or are honest ones of a clean run.
ATTACKED = 12
# Honest ones before them, with which a run is held to the round in which it began.
LEAD = 4
BOOSTED = "boosted ×10"
OWN_TRAINING = "norm-matched, own training"
AS_HONEST = "norm-matched, trained as the honest"
PARTITIONS = ("iid", "dirichlet:0.5")
_ROUNDS = {WITHOUT_FILES: 20, "mnist": 6, "fashion-mnist": 6}


def _attacks() -> Iterator[Attack]:
    for k in (1, 5, 10):
        yield Attack(
            family=BOOSTED,
            k=k,
            strategies=("replacement",),
            boost=10,
            as_honest=False,
            rounds=ATTACKED,
        )
        for family in (OWN_TRAINING, AS_HONEST):
            yield Attack(
                family=family,
                k=k,
                strategies=("norm-matching",),
                as_honest=family == AS_HONEST,
                rounds=ATTACKED,
            )


ATTACKS = tuple(_attacks())


def base_of(dataset: str, partition: str) -> Base:
    """Return the federation of a data set, trained as `ariba simulate` does by default."""
    return Base(
        dataset=dataset,
        partition=partition,
        epochs=3 if dataset == WITHOUT_FILES else 1,
        rounds=_ROUNDS[dataset] + ATTACKED,
        every=1,
    )


BASES = tuple(base_of(dataset, partition) for dataset in _ROUNDS for partition in PARTITIONS)


@dataclass(frozen=True)
class Matrix:
    """The runs on which the history is measured.

    Attributes
    ----------
    purpose : str
        The purpose of its seeds.
    seeds : tuple of int
        The seeds; each federation is simulated once with each.
    """

    purpose: str
    seeds: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse seeds of the other purpose."""
        checked(self.purpose, self.seeds)


MATRICES = {
    DEVELOPMENT: Matrix(DEVELOPMENT, (1, 2, 3)),
    REPORTING: Matrix(REPORTING, (6001, 6002, 6003)),
}
