"""The declaration of a strategy, from which lists, help texts and run records are made."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ariba_cli.base.errors import UsageError
from ariba_cli.base.parameters import Parameter


class Stage(StrEnum):
    """The stage of making an update at which a strategy works."""

    TRAINING = "training"
    """It changes what is trained: the targets, the objective or the steps."""
    TRAINED = "trained"
    """It changes what training has made."""
    FORGING = "forging"
    """It makes an update of its own, and nothing is trained."""
    SCALING = "scaling"
    """It changes how long the update is."""


class Need(StrEnum):
    """The knowledge that a strategy needs of a compromised participant."""

    HONEST_UPDATES = "honest-updates"
    """The updates of the honest in this round."""
    LAST_STEP = "last-step"
    """The direction of the global model: the mean of the honest updates of this round, since that
    is there for a saved round and for a run that goes on."""
    TWIN = "twin"
    """The update that the participant would have sent if it were honest."""


@dataclass(frozen=True)
class Option:
    """An argument of a strategy.

    Attributes
    ----------
    meaning : str
        The meaning, with its unit.
    default : Parameter
        The value unless one is given, whose type is that of the argument; None if the value is
        computed from the round.
    otherwise : str
        That computed value, in words.
    least, most : float
        The bounds of a number; `most` itself is allowed.
    integer : bool
        True for a whole number.
    choices : tuple of str
        The words that are allowed; empty for numbers.
    """

    meaning: str
    default: Parameter = None
    otherwise: str = ""
    least: float = 0.0
    most: float = math.inf
    integer: bool = False
    choices: tuple[str, ...] = ()

    @property
    def said_default(self) -> str:
        """Return the default in words."""
        return self.otherwise or f"{self.default}"

    @property
    def said_range(self) -> str:
        """Return the allowed values in words."""
        if self.choices:
            return ", ".join(self.choices)
        end = "on" if self.most == math.inf else f"to {self.most:g}"
        return f"{'an integer' if self.integer else 'a number'} from {self.least:g} {end}"

    def check(self, key: str, name: str, value: Parameter) -> None:
        """Refuse a value that the argument cannot have.

        Raises
        ------
        UsageError
            Says what it must be.
        """
        if self.choices:
            fits = value in self.choices
        elif type(value) is int or (type(value) is float and not self.integer):
            fits = self.least <= value <= self.most
        else:
            fits = False
        if not fits:
            raise UsageError(f"{key} of {name} is '{value}'; it must be {self.said_range}")


@dataclass(frozen=True)
class Declaration:
    """A description of a strategy, without the means to run it.

    Attributes
    ----------
    name : str
        The name in commands and in records.
    stage : Stage
        The stage at which it works.
    summary : str
        A summary in one line.
    equation : str
        The update that is sent, or the value that is minimised.
    source : str
        The publication.
    purpose : str
        The purpose of the strategy.
    needs : frozenset of Need
        The knowledge that the compromised need.
    options : dict of str to Option
        The arguments that it takes.
    undoes : tuple of str
        The strategies of whose work it leaves nothing, beside those that its stage excludes.
    """

    name: str
    stage: Stage
    summary: str
    equation: str
    source: str
    purpose: str
    needs: frozenset[Need] = frozenset()
    options: Mapping[str, Option] = field(default_factory=dict)
    undoes: tuple[str, ...] = ()

    @property
    def trains(self) -> bool:
        """Return True if the strategy makes use of local training."""
        return self.stage is not Stage.FORGING

    def leaves_nothing_of(self, other: "Declaration") -> bool:
        """Return True if nothing of another strategy's work is left after it."""
        forges_over_it = self.stage is Stage.FORGING and other.stage is not Stage.SCALING
        return self != other and (other.name in self.undoes or forges_over_it)
