"""The declarations of detectors, from which lists, help, tables and reports are made."""

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
    """The kind of input of a detector."""

    LAYER = "layer"
    UPDATE = "update"
    HISTORY = "history"


class Need(StrEnum):
    """A thing that a round must have for a detector."""

    GLOBAL_MODEL = "global-model"
    OUTPUT_LAYER = "output-layer"


@dataclass(frozen=True)
class Option:
    """An argument of a detector.

    Attributes
    ----------
    meaning : str
        The meaning of the argument, with its unit.
    default : str
        The default value, in words.
    least : int
        The least value that it takes.
    """

    meaning: str
    default: str
    least: int = 0


@dataclass(frozen=True)
class Declaration:
    """The facts about a detector that are known without running it.

    Attributes
    ----------
    name : str
        The name that users and reports give it.
    scope : Scope
        The kind of input that it takes.
    summary : str
        The subject of its scores, in one line.
    equation : str
        The equation of a score.
    source : str
        The publication.
    score : str
        The name of a score in tables, in ASCII.
    needs : frozenset of Need
        The things that a round must have.
    gathers : frozenset of Statistic
        The statistics that it takes in addition to the Gram matrix.
    options : dict of str to Option
        The integers that it takes.
    same_on_every_machine : bool
        True if its scores are the same on every machine, to the byte.
    gives_p_values : bool
        True if it gives the chance that an honest participant scores as high.
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
    """The basis of a detector's p-values.

    Attributes
    ----------
    source : str
        The source of the tails.
    participants : int
        The number of honest participants on whom they were fitted.
    departure : float
        The largest share, over the signs, of usual participants who show more of one than a
        twentieth of the honest did.
    unseen : dict of str to str
        A code with the reason for each sign that could not be seen.
    normalised : bool
        True if the model has normalisation layers, and the models of the tails had none.
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
    """The result of a detector of scope *update*; higher is more suspicious.

    Attributes
    ----------
    total : float64 array of shape (n,)
        The scores of whole updates; finite.
    by_layer : dict of str to float64 array of shape (n,)
        The scores of each layer by itself.
    parameters : dict of str to Parameter
        The parameters with which it was run, its defaults included.
    details : dict of str to list of Parameter
        Further values of each participant, by name.
    p_values : list of float, optional
        The chance that an honest participant scores as high, for each participant.
    reasons : callable
        The function that returns the signs against each by index, the least likely first, for the
        indices of those who are named.
    calibrated : Calibrated, optional
        The basis of the p-values.
    """

    total: "Float64"
    by_layer: "Mapping[str, Float64]"
    parameters: Arguments
    details: Mapping[str, list[Parameter]]
    p_values: list[float] | None = None
    reasons: "Callable[[Sequence[int]], dict[int, tuple[Reason, ...]]]" = lambda _: {}
    calibrated: Calibrated | None = None


class Mark(Protocol):
    """A function that marks fragments."""

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
    """A detector of scope *update* with its arguments; `score` is given k_est, too."""

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
        The facts about it.
    score : callable
        The function that is called with the rounds of a run, and returns the scores of everybody
        who took part in any of them.
    """

    declaration: Declaration
    score: "Callable[[OverRounds], Scores]"


@dataclass(frozen=True)
class Setting:
    """The choices from which a detector is made, in addition to its declaration."""

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
        The declaration, whose options are the names of the keyword arguments of `function`.
    function : callable
        The function that is called with `UpdateStatistics` and the arguments.
    settle : callable, optional
        The function that is called with the given arguments, n and k_est, and returns all
        arguments. It raises UsageError when they do not fit.
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
    """Refuse arguments that a detector does not take.

    Raises
    ------
    UsageError
        When an argument is unknown or out of its range, or a fit sample was given.
    """
    name, options = declaration.name, declaration.options or {}
    if setting.fit_sample is not None:
        raise UsageError(f"{name} does not take --fit-sample; only --detector pyod:NAME does")
    for key, value in setting.arguments.items():
        if key not in options:
            takes = f"it takes {', '.join(options)}" if options else "it takes none"
            raise UsageError(f"{name} takes no argument '{key}'; {takes}")
        if type(value) is not int or value < options[key].least:
            raise UsageError(
                f"{key} of {name} must be an integer of at least {options[key].least}, not "
                f"'{value}'"
            )
