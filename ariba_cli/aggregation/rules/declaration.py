"""The declarations of rules, from which lists, help, tables and documentation are made."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from ariba_cli.aggregation.updates import RoundUpdates
from ariba_cli.base.declared import Argument
from ariba_cli.base.errors import InputError, UsageError
from ariba_cli.base.parameters import Parameter
from ariba_cli.base.suggestions import nearest

Float64 = npt.NDArray[np.float64]
Arguments = Mapping[str, Parameter]
Settled = dict[str, float]


class Need(StrEnum):
    """A thing that a round must have for a rule."""

    GLOBAL_MODEL = "global-model"
    DATA = "data"
    PUBLIC_ROUNDS = "public-rounds"


@dataclass(frozen=True)
class Declaration:
    """The facts about a rule that are known without following it.

    Attributes
    ----------
    name : str
        The name that users and `run.json` give it.
    summary : str
        The action of the rule, in one line.
    equation : str
        The equation of the change of the global model.
    source : str
        The publication.
    fails : str
        The conditions under which it does not help, or does harm.
    needs : frozenset of Need
        The things that a round must have.
    fewest : int
        The least number of updates that it takes.
    by_samples : bool
        True if participants can count by their samples.
    arguments : dict of str to Argument
        The arguments that it takes.
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
    """The choice of a rule: the weight of each update, and the combination of coordinates.

    Attributes
    ----------
    weights : float64 array of shape (n,)
        The weight of each update; zero leaves it out.
    divisor : float
        The divisor of their weighted sum.
    combine : callable, optional
        The function that replaces the weighted sum, coordinate by coordinate.
    noise : float
        The standard deviation of the Gaussian noise that is added to each coordinate.
    """

    weights: Float64
    divisor: float
    combine: Combine | None = None
    noise: float = 0.0

    @property
    def used(self) -> list[int]:
        """The places of those with a weight."""
        return np.flatnonzero(self.weights).tolist()


def keep(updates: RoundUpdates, who: npt.ArrayLike, combine: Combine | None = None) -> Choice:
    """Return the choice of some participants, who count by their samples.

    Parameters
    ----------
    updates : RoundUpdates
        The updates of the round.
    who : bool array of shape (n,)
        True for the participants to keep.
    combine : callable, optional
        The function that combines coordinates, if not by a weighted mean.
    """
    weights = np.where(np.asarray(who), np.asarray(updates.samples, np.float64), 0.0)
    return Choice(weights, float(weights.sum()), combine)


@dataclass(frozen=True)
class Rule:
    """A rule with its arguments.

    Attributes
    ----------
    declaration : Declaration
        The facts about it.
    choose : callable
        The function that is called with `RoundUpdates` and the settled arguments.
    settle : callable
        The function that is called with the given arguments and with n, and returns all arguments.
        It raises UsageError when they do not fit n.
    given : dict of str to Parameter
        The given arguments.
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
            takes[key].check(key, self.declaration.name, value)
        return replace(self, given=given)

    def settled(self, participants: int) -> Settled:
        """Return all arguments for that number of updates.

        Raises
        ------
        InputError
            When these are too few.
        UsageError
            When the given arguments do not fit them.
        """
        if participants < self.declaration.fewest:
            raise InputError(
                f"{self.declaration.name} needs at least {self.declaration.fewest} updates, and "
                f"there are {participants}; use another rule"
            )
        return self.settle(self.given, participants)

    def of(self, updates: RoundUpdates) -> Choice:
        """Return the choice of the rule for a round.

        Raises
        ------
        InputError, UsageError
            When it cannot be followed there.
        """
        name, settled = self.declaration.name, self.settled(updates.participants)
        if Need.GLOBAL_MODEL in self.declaration.needs and not updates.has_global:
            raise InputError(
                f"{name} needs the global model, and the round has none; name it with --global, "
                "or use another rule"
            )
        if Need.DATA in self.declaration.needs and updates.accuracy is None:
            raise InputError(
                f"{name} needs the data and the network of the run; name its run.json with --run"
            )
        if Need.PUBLIC_ROUNDS in self.declaration.needs and updates.public is None:
            raise InputError(
                f"{name} needs rounds that were trained on public data; name their run with "
                "--public of ariba aggregate"
            )
        if not self.declaration.by_samples and len(set(updates.samples)) > 1:
            raise UsageError(f"{name} counts everybody equally; leave out --weights")
        return self.choose(updates, **settled)


def settle_f(given: Arguments, n: int, most: int, rule: str) -> Settled:
    """Return f: the given one, else a fifth of n, rounded up, or the most that fits n.

    Raises
    ------
    UsageError
        When the given one does not fit; the message has the range that does.
    """
    f = given.get("f")
    if f is None:
        return {"f": max(0, min(math.ceil(n / 5), most))}
    assert isinstance(f, int)
    if f > most:
        raise UsageError(f"f is {f}; with {n} updates {rule} takes an f from 0 to {max(0, most)}")
    return {"f": f}


F = Argument(
    "the number of attackers to allow for",
    otherwise="a fifth of all, or as many as the rule allows",
    integer=True,
)
