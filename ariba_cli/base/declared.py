"""The declaration of an argument, from which checks, lists, help texts and pages are made."""

import math
from dataclasses import dataclass

from ariba_cli.base.errors import UsageError
from ariba_cli.base.parameters import Parameter


@dataclass(frozen=True)
class Argument:
    """An argument of an aggregation rule or of a strategy.

    Attributes
    ----------
    meaning : str
        The meaning, with its unit.
    default : Parameter
        The value unless one is given; None if the value is computed from the round.
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
        kind = "an integer" if self.integer else "a number"
        if self.most == math.inf:
            return f"{kind} of at least {self.least:g}"
        return f"{kind} from {self.least:g} to {self.most:g}"

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
            fits = math.isfinite(value) and self.least <= value <= self.most
        else:
            fits = False
        if not fits:
            raise UsageError(f"{key} of {name} must be {self.said_range}, not '{value}'")
