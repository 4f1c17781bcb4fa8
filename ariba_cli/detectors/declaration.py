"""What a detector declares: everything that lists, help, tables and reports are made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from ariba_cli.base.errors import UsageError
from ariba_cli.base.parameters import Parameter
from ariba_cli.base.progress import Progress
from ariba_cli.scoring.devices import AUTO, DeviceChoice

if TYPE_CHECKING:
    from ariba_cli.scoring.marks import Marks
    from ariba_cli.scoring.over_rounds import OverRounds
    from ariba_cli.scoring.panel.baseline import Baseline
    from ariba_cli.scoring.panel.reasons import Reason
    from ariba_cli.scoring.update_statistics import Float64, Statistic, Updates, UpdateStatistics
    from ariba_cli.updates.fragments import Fragments

Arguments = Mapping[str, Parameter]


class Scope(StrEnum):
    """What a detector is fed."""

    LAYER = "layer"
    UPDATE = "update"
    HISTORY = "history"


class Need(StrEnum):
    """What a round must have for a detector."""

    GLOBAL_MODEL = "global-model"
    OUTPUT_LAYER = "output-layer"


@dataclass(frozen=True)
class Option:
    """An argument of a detector.

    Attributes
    ----------
    meaning : str
        What it is, with its unit.
    default : str
        What it is unless it is given, in words.
    least : int
        The least value that it takes.
    """

    meaning: str
    default: str
    least: int = 0


@dataclass(frozen=True)
class Declaration:
    """What there is to know of a detector without running it.

    Attributes
    ----------
    name : str
        As it is asked for, and stands in reports.
    scope : Scope
        What it is fed.
    summary : str
        What it looks at, in one line.
    equation : str
        How a score is found.
    source : str
        The publication.
    score : str
        What a score is called in tables, in ASCII.
    needs : frozenset of Need
        What a round must have.
    gathers : frozenset of Statistic
        What it is fed beside the Gram matrix.
    options : dict of str to Option
        The integers that it takes.
    same_on_every_machine : bool
        Whether its scores are, to the byte.
    gives_p_values : bool
        Whether it says how likely an honest participant scores as high.
    """

    name: str
    scope: Scope
    summary: str
    equation: str
    source: str
    score: str
    needs: frozenset[Need] = frozenset()
    gathers: "frozenset[Statistic]" = frozenset()
    options: Mapping[str, Option] | None = None
    same_on_every_machine: bool = True
    gives_p_values: bool = False


@dataclass(frozen=True)
class Calibrated:
    """On what the p-values of a detector rest.

    Attributes
    ----------
    source : str
        Where the tails come from.
    participants : int
        Of how many honest participants they were fitted.
    departure : float
        The largest share, over the signs, of usual participants who show more of one than a
        twentieth of the honest did.
    unseen : dict of str to str
        By each sign that could not be seen, a code that says why.
    normalised : bool
        Whether the model has normalisation layers, and theirs had none.
    similarity : float64 array of shape (n, n), optional
        The cosine of each pair of updates.
    """

    source: str
    participants: int
    departure: float
    unseen: Mapping[str, str]
    normalised: bool
    similarity: "Float64 | None" = None


@dataclass(frozen=True)
class Scores:
    """What a detector of scope *update* says; higher is more suspicious.

    Attributes
    ----------
    total : float64 array of shape (n,)
        Of whole updates; finite.
    by_layer : dict of str to float64 array of shape (n,)
        Of each layer by itself.
    parameters : dict of str to Parameter
        What it was run with, its defaults included.
    details : dict of str to list of Parameter
        What else it says, by name, of each participant.
    p_values : list of float, optional
        How likely an honest participant scores as high, of each.
    reasons : callable
        Returns the signs against each by index, the least likely first, for the indices of
        those who are named.
    calibrated : Calibrated, optional
        On what the p-values rest.
    """

    total: "Float64"
    by_layer: "Mapping[str, Float64]"
    parameters: Arguments
    details: Mapping[str, list[Parameter]]
    p_values: list[float] | None = None
    reasons: "Callable[[Sequence[int]], dict[int, tuple[Reason, ...]]]" = lambda _: {}
    calibrated: Calibrated | None = None


class Mark(Protocol):
    """Marks fragments; k_est is k̃."""

    def __call__(
        self, fragments: "Fragments", k_est: int, progress: Progress, /, *, keep_distances: bool
    ) -> "Marks":
        """Mark the fragments of n participants, in id order."""
        ...


@dataclass(frozen=True)
class LayerDetector:
    """A detector of scope *layer* with its arguments."""

    declaration: Declaration
    mark: Mark
    arguments: Arguments
    fit_sample: int | None = None


@dataclass(frozen=True)
class UpdateDetector:
    """A detector of scope *update* with its arguments; `score` is given k̃, too."""

    declaration: Declaration
    score: "Callable[[Updates, int], Scores]"
    arguments: Arguments
    # It is fitted on nothing.
    fit_sample: None = None


Detector = LayerDetector | UpdateDetector


@dataclass(frozen=True)
class HistoryDetector:
    """A detector of scope *history*, which takes no arguments.

    Attributes
    ----------
    declaration : Declaration
        What there is to know of it.
    score : callable
        Called with what is known of the rounds of a run; returns what it says of everybody who
        took part in any.
    """

    declaration: Declaration
    score: "Callable[[OverRounds], Scores]"


@dataclass(frozen=True)
class Setting:
    """What a detector is made of beside its declaration."""

    arguments: Arguments
    fit_sample: int | None = None
    device: DeviceChoice = AUTO
    baseline: "Baseline | None" = None


# Finds the scores of one layer, or of all together, with the arguments that it is given.
OfStatistics = Callable[..., "Float64"]


@dataclass(frozen=True)
class UpdateFamily:
    """A detector of scope *update* that scores each layer, and all together, by one function.

    Attributes
    ----------
    declaration : Declaration
        Its options are the names of what `function` takes by keyword.
    function : callable
        Called with `UpdateStatistics` and the arguments.
    settle : callable, optional
        Called with the arguments that were given, n and k̃; returns all of them. It raises
        UsageError when they do not fit.
    """

    declaration: Declaration
    function: OfStatistics
    settle: Callable[[Arguments, int, int], dict[str, int]] = lambda _given, _n, _k_est: {}

    def make(self, _: str, setting: Setting) -> UpdateDetector:
        """Return the detector with its arguments; see `check_arguments`."""
        check_arguments(self.declaration, setting)
        return UpdateDetector(
            self.declaration,
            lambda updates, k_est: self._scores(updates, k_est, setting.arguments),
            setting.arguments,
        )

    def _scores(self, updates: "Updates", k_est: int, given: Arguments) -> Scores:
        settled = self.settle(given, updates.participants, k_est)

        def score(statistics: "UpdateStatistics") -> "Float64":
            return self.function(statistics, **settled)

        return Scores(
            total=score(updates.total),
            by_layer={name: score(one) for name, one in updates.layers.items()},
            parameters=settled,
            details={},
        )


def check_arguments(declaration: Declaration, setting: Setting) -> None:
    """Refuse what a detector does not take.

    Raises
    ------
    UsageError
        When an argument is unknown or out of its range, or a fit sample was given.
    """
    name, options = declaration.name, declaration.options or {}
    if setting.fit_sample is not None:
        raise UsageError(f"{name} takes no --fit-sample; it is for --detector pyod:NAME")
    for key, value in setting.arguments.items():
        if key not in options:
            takes = f"it takes {', '.join(options)}" if options else "it takes none"
            raise UsageError(f"{name} takes no argument '{key}'; {takes}")
        if type(value) is not int or value < options[key].least:
            raise UsageError(
                f"{key} of {name} is '{value}'; it must be an integer from {options[key].least} on"
            )
