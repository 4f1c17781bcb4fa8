"""The declaration of a strategy, from which lists, help texts and run records are made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ariba_cli.base.declared import Argument


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
    arguments : dict of str to Argument
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
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    undoes: tuple[str, ...] = ()

    @property
    def trains(self) -> bool:
        """Return True if the strategy makes use of local training."""
        return self.stage is not Stage.FORGING

    def leaves_nothing_of(self, other: "Declaration") -> bool:
        """Return True if nothing of another strategy's work is left after it."""
        forges_over_it = self.stage is Stage.FORGING and other.stage is not Stage.SCALING
        return self != other and (other.name in self.undoes or forges_over_it)
