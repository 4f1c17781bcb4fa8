"""The ways to deal out samples. A new way is a function here and a line in `PARTITIONS`."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import UsageError
from ariba_cli.federated.datasets import LabelArray
from ariba_cli.federated.randomness import derived_seed

IndexArray = npt.NDArray[np.int64]

# Deals out samples: (labels, participants, parameter, generator) → each one's samples.
Deal = Callable[[LabelArray, int, float, np.random.Generator], list[IndexArray]]


def iid(
    labels: LabelArray, participants: int, _: float, draw: np.random.Generator
) -> list[IndexArray]:
    """Deal out all samples at random, as evenly as their number allows."""
    return np.array_split(draw.permutation(len(labels)), participants)


def dirichlet(
    labels: LabelArray, participants: int, alpha: float, draw: np.random.Generator
) -> list[IndexArray]:
    """Give each participant a part of every class, drawn from Dirichlet(α).

    This follows Yurochkin et al. (2019); Hsu et al. (2019) draw the classes of each participant.

    The smaller α is, the less the participants have in common, in classes and in number of samples.
    Some may have none.
    """
    parts: list[list[IndexArray]] = [[] for _ in range(participants)]
    for label in np.unique(labels):
        members = draw.permutation(np.flatnonzero(labels == label))
        shares = draw.dirichlet(np.full(participants, alpha))
        cuts = np.rint(np.cumsum(shares)[:-1] * len(members)).astype(int)
        for part, given in zip(parts, np.split(members, cuts), strict=True):
            part.append(given)
    return [np.concatenate(part) for part in parts]


def lognormal(
    labels: LabelArray, participants: int, sigma: float, draw: np.random.Generator
) -> list[IndexArray]:
    """Deal out all samples at random, many to few participants and few to most.

    The number of each is in proportion to exp(σ·z) with z of the standard normal distribution,
    but one at least.
    """
    logarithms = sigma * draw.standard_normal(participants)
    sizes = np.exp(logarithms - logarithms.max())
    spare = len(labels) - participants
    cuts = np.rint(np.cumsum(sizes / sizes.sum())[:-1] * spare).astype(int)
    return np.split(draw.permutation(len(labels)), cuts + np.arange(1, participants))


def shards(
    labels: LabelArray, participants: int, each: float, draw: np.random.Generator
) -> list[IndexArray]:
    """Sort by class, cut into equal shards, and deal out `each` to all (McMahan et al. 2017)."""
    by_class = np.argsort(labels, kind="stable")
    cut = np.array_split(by_class, participants * int(each))
    order = draw.permutation(len(cut)).reshape(participants, int(each))
    return [np.concatenate([cut[shard] for shard in own]) for own in order]


@dataclass(frozen=True)
class _Way:
    """A way to deal out samples, and the condition on its parameter, where it has one."""

    deal: Deal
    parameter: str | None = None
    whole: bool = False


PARTITIONS = {
    "iid": _Way(iid),
    "dirichlet": _Way(dirichlet, "ALPHA"),
    "lognormal": _Way(lognormal, "SIGMA"),
    "shards": _Way(shards, "S", whole=True),
}


@dataclass(frozen=True)
class Partition:
    """A way to deal out samples, with its parameter."""

    name: str
    parameter: float | None = None

    def __str__(self) -> str:
        """Return the text that `parse_partition` reads."""
        if self.parameter is None:
            return self.name
        digits = f"{self.parameter:.6f}".rstrip("0").rstrip(".")
        return f"{self.name}:{digits}"

    def deal(self, labels: LabelArray, participants: int, seed: int) -> list[IndexArray]:
        """Return the samples of each participant, in their order in the data set.

        Raises
        ------
        UsageError
            When there are too few samples.
        """
        way = PARTITIONS[self.name]
        pieces = participants * (int(self.parameter or 1) if way.whole else 1)
        if pieces > len(labels):
            raise UsageError(
                f"{participants} participants cannot share {len(labels)} samples as {self}; "
                "use fewer participants"
            )
        draw = np.random.default_rng(derived_seed(seed, "partition"))
        parts = way.deal(labels, participants, self.parameter or 0.0, draw)
        return [np.sort(part) for part in parts]


def parse_partition(text: str) -> Partition:
    """Read `iid`, `dirichlet:ALPHA`, `lognormal:SIGMA` or `shards:S`.

    Raises
    ------
    UsageError
        When it is none of them.

    >>> str(parse_partition("dirichlet:0.50"))
    'dirichlet:0.5'
    >>> str(parse_partition("dirichlet:0.00001"))
    'dirichlet:0.00001'
    """
    name, colon, parameter = text.partition(":")
    way = PARTITIONS.get(name)
    known = ", ".join(
        name if way.parameter is None else f"{name}:{way.parameter}"
        for name, way in PARTITIONS.items()
    )
    if way is None or bool(colon) != (way.parameter is not None):
        raise UsageError(f"--partition does not know '{text}'; use one of {known}")
    if way.parameter is None:
        return Partition(name)
    number = r"[1-9][0-9]{0,5}" if way.whole else r"[0-9]{1,6}(\.[0-9]{1,6})?"
    value = float(parameter) if re.fullmatch(number, parameter, re.ASCII) else math.nan
    if not value > 0:
        kind = "a whole number" if way.whole else "a number"
        raise UsageError(f"--partition {name} needs {kind} above 0, such as {name}:2, not '{text}'")
    return Partition(name, value)
