"""What a rule declares: everything that lists, help, tables and documentation are made of."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from ariba_cli.aggregation.updates import RoundUpdates
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.base.parameters import Parameter
from ariba_cli.base.suggestions import nearest

Float64 = npt.NDArray[np.float64]
Arguments = Mapping[str, Parameter]
Settled = dict[str, float]


class Need(StrEnum):
    """What a round must have for a rule."""

    GLOBAL_MODEL = "global-model"
    DATA = "data"


@dataclass(frozen=True)
class Argument:
    """An argument of a rule.

    Attributes
    ----------
    meaning : str
        What it is, with its unit.
    default : str
        What it is unless it is given, in words.
    least, most : float
        The least and the greatest value that it takes.
    whole : bool
        Whether it is an integer.
    """

    meaning: str
    default: str
    least: float = 0
    most: float = math.inf
    whole: bool = True

    @property
    def range(self) -> str:
        """Return what it takes, in words."""
        kind = "an integer" if self.whole else "a number"
        if self.most == math.inf:
            return f"{kind} from {self.least:g} on"
        return f"{kind} from {self.least:g} to {self.most:g}"

    def takes(self, value: Parameter) -> bool:
        """Return whether a value is of its kind and in its range."""
        if type(value) is not int and (self.whole or type(value) is not float):
            return False
        return math.isfinite(value) and self.least <= value <= self.most


@dataclass(frozen=True)
class Declaration:
    """What there is to know of a rule without following it.

    Attributes
    ----------
    name : str
        As it is asked for, and stands in `run.json`.
    summary : str
        What it does, in one line.
    equation : str
        What it adds to the global model.
    source : str
        The publication.
    fails : str
        When it does not help, or does harm.
    needs : frozenset of Need
        What a round must have.
    fewest : int
        How many updates it takes, at least.
    by_samples : bool
        Whether participants can count by their samples.
    arguments : dict of str to Argument
        What it takes.
    """

    name: str
    summary: str
    equation: str
    source: str
    fails: str
    needs: frozenset[Need] = frozenset()
    fewest: int = 1
    by_samples: bool = False
    arguments: Mapping[str, Argument] = field(default_factory=dict)


# Combines the differences of those who are used, of shape (used, coordinates), to one of each
# coordinate.
Combine = Callable[[Float64], Float64]


@dataclass(frozen=True)
class Choice:
    """What a rule makes of a round: who counts how much, and how coordinates are combined.

    Attributes
    ----------
    weights : float64 array of shape (n,)
        How much each update counts; zero leaves it out.
    divisor : float
        By what their weighted sum is divided.
    combine : callable, optional
        What is done instead of a weighted sum, coordinate by coordinate.
    noise : float
        The standard deviation of the Gaussian noise that is added to each coordinate.
    """

    weights: Float64
    divisor: float
    combine: Combine | None = None
    noise: float = 0.0

    @property
    def used(self) -> list[int]:
        """Return the places of those who count."""
        return np.flatnonzero(self.weights).tolist()


def keep(updates: RoundUpdates, who: npt.ArrayLike, combine: Combine | None = None) -> Choice:
    """Return the choice of some participants, who count by their samples.

    Parameters
    ----------
    updates : RoundUpdates
        The round.
    who : array of bool of shape (n,)
        Who is kept.
    combine : callable, optional
        How coordinates are combined, if not by a weighted mean.
    """
    weights = np.where(np.asarray(who), np.asarray(updates.samples, np.float64), 0.0)
    return Choice(weights, float(weights.sum()), combine)


@dataclass(frozen=True)
class Rule:
    """A rule with its arguments.

    Attributes
    ----------
    declaration : Declaration
        What there is to know of it.
    choose : callable
        Called with `RoundUpdates` and the settled arguments.
    settle : callable
        Called with the arguments that were given and with n; returns all of them. It raises
        UsageError when they do not fit n.
    given : dict of str to Parameter
        What was given.
    """

    declaration: Declaration
    choose: Callable[..., Choice]
    settle: Callable[[Arguments, int], Settled] = lambda _given, _n: {}
    given: Arguments = field(default_factory=dict)

    def taking(self, given: Arguments) -> "Rule":
        """Return the rule with these arguments.

        Raises
        ------
        UsageError
            When it does not take one of them.
        """
        takes = self.declaration.arguments
        for key, value in given.items():
            if key not in takes:
                near = nearest(key, takes)
                known = f"it takes {', '.join(takes)}" if takes else "it takes none"
                hint = known if near is None else f"did you mean '{near}'?"
                raise UsageError(f"{self.declaration.name} takes no argument '{key}'; {hint}")
            if not takes[key].takes(value):
                raise UsageError(
                    f"{key} of {self.declaration.name} is '{value}'; it must be {takes[key].range}"
                )
        return replace(self, given=given)

    def settled(self, participants: int) -> Settled:
        """Return all arguments for so many updates.

        Raises
        ------
        InputError
            When these are too few.
        UsageError
            When what was given does not fit them.
        """
        if participants < self.declaration.fewest:
            raise InputError(
                f"{self.declaration.name} takes at least {self.declaration.fewest} updates, and "
                f"there are {participants}; take another rule"
            )
        return self.settle(self.given, participants)

    def of(self, updates: RoundUpdates) -> Choice:
        """Return what the rule makes of a round.

        Raises
        ------
        InputError, UsageError
            When it cannot be followed there.
        """
        name, settled = self.declaration.name, self.settled(updates.participants)
        if Need.GLOBAL_MODEL in self.declaration.needs and not updates.has_global:
            raise InputError(
                f"{name} needs the global model, and the round has none; name it with --global, "
                "or take another rule"
            )
        if Need.DATA in self.declaration.needs and updates.accuracy is None:
            raise InputError(
                f"{name} needs the data and the network of the run that the updates are of; name "
                "its run.json with --run"
            )
        if not self.declaration.by_samples and len(set(updates.samples)) > 1:
            raise UsageError(f"{name} counts everybody the same; leave out --weights")
        return self.choose(updates, **settled)


def settle_f(given: Arguments, n: int, most: int, rule: str) -> Settled:
    """Return f: as it was given, else a fifth of n, rounded up, or the most that fits n.

    Raises
    ------
    UsageError
        When what was given does not fit; it says what does.
    """
    f = given.get("f")
    if f is None:
        return {"f": max(0, min(math.ceil(n / 5), most))}
    assert isinstance(f, int)
    if f > most:
        raise UsageError(f"f is {f}; of {n} updates {rule} takes an f of 0 to {max(0, most)}")
    return {"f": f}


F = Argument(
    "how many participants may be compromised", "a fifth of all, or as many as the rule allows"
)
