"""What a strategy declares: everything that lists, help and run records are made of."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ariba_cli.base.errors import UsageError
from ariba_cli.base.parameters import Parameter


class Stage(StrEnum):
    """Where in the making of an update a strategy works."""

    TRAINING = "training"
    """It changes what is trained: the targets, the objective or the steps."""
    TRAINED = "trained"
    """It changes what training has made."""
    FORGING = "forging"
    """It makes an update of its own, and nothing is trained."""
    SCALING = "scaling"
    """It changes how long the update is."""


class Need(StrEnum):
    """What a compromised participant must know for a strategy."""

    HONEST_UPDATES = "honest-updates"
    """What the honest send in this round."""
    LAST_STEP = "last-step"
    """Where the global model is moving: the mean of the honest updates of this round, since that
    is there for a saved round and for a run that goes on."""
    TWIN = "twin"
    """What the participant would have sent if it were honest."""


@dataclass(frozen=True)
class Option:
    """An argument of a strategy.

    Attributes
    ----------
    meaning : str
        What it is, with its unit.
    default : Parameter
        What it is unless it is given; its type is that of the argument. None where it is found
        from the round.
    otherwise : str
        What it is then, in words.
    least, most : float
        Between these it is, for numbers; `most` itself is allowed.
    integer : bool
        For numbers, that it is a whole one.
    choices : tuple of str
        What it can be, for words; none for numbers.
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
        """The default in words."""
        return self.otherwise or f"{self.default}"

    @property
    def said_range(self) -> str:
        """What it takes, in words."""
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
    """What there is to know of a strategy without running it.

    Attributes
    ----------
    name : str
        As it is asked for, and stands in records.
    stage : Stage
        Where it works.
    summary : str
        What it does, in one line.
    equation : str
        What is sent, or minimised.
    source : str
        The publication.
    purpose : str
        What it is for.
    needs : frozenset of Need
        What the compromised must know.
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
        """Whether local training is of any use to it."""
        return self.stage is not Stage.FORGING

    def leaves_nothing_of(self, other: "Declaration") -> bool:
        """Whether nothing of what another does is left after it."""
        forges_over_it = self.stage is Stage.FORGING and other.stage is not Stage.SCALING
        return self != other and (other.name in self.undoes or forges_over_it)
