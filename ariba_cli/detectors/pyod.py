"""Any detector of PyOD in the place of the Mahalanobis distance, such as `pyod:ECOD`."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ariba_cli.base.errors import UsageError
from ariba_cli.base.parameters import Parameter
from ariba_cli.base.progress import Progress
from ariba_cli.detectors.declaration import Declaration, LayerDetector, Scope, Setting
from ariba_cli.scoring import pyod as engine
from ariba_cli.scoring.marks import Marks
from ariba_cli.scoring.pyod_catalogue import CATALOGUE, Known, Rows, find
from ariba_cli.updates.fragments import Fragments

# PyOD takes no contamination above it.
_MOST_CONTAMINATION = 0.5
_DEFAULT_SEED = 0
_MOST_SEED = 2**32 - 1


DECLARATION = Declaration(
    name="pyod",
    scope=Scope.LAYER,
    summary="the share of an update's fragments that a detector of PyOD finds most unusual",
    equation="S_i/m, the share of the k_est·m marks; those of highest decision score are marked",
    source="Zhao et al., PyOD, 2019",
    score="share",
    same_on_every_machine=False,
)


class Pyod:
    """The maker of any detector that PyOD has, called by its name in any case."""

    declaration = DECLARATION

    def make(self, variant: str, setting: Setting) -> LayerDetector:
        """Return the detector.

        Raises
        ------
        UsageError
            When there is none, when it cannot be used here or lacks a package, or when it does
            not take these arguments.
        """
        label = find(variant)
        name = f"pyod:{label}"
        if setting.device.device not in ("auto", "cpu"):
            raise UsageError(f"{name} does not take --device; only mahalanobis does")
        kind = _imported(name, CATALOGUE[label], label)
        taken = _arguments_of(kind)
        unknown = [key for key in setting.arguments if key not in taken]
        if unknown:
            raise UsageError(
                f"{name} takes no argument '{unknown[0]}'; it takes {', '.join(taken)}"
            )
        marking = _Marking(
            name, CATALOGUE[label], kind, dict(setting.arguments), setting.fit_sample
        )
        declaration = replace(DECLARATION, name=name)
        return LayerDetector(declaration, marking, marking.arguments, setting.fit_sample)

    def options_of(self, variant: str) -> list[str]:
        """Return the names of the arguments that the detector takes."""
        label = find(variant)
        return _arguments_of(_imported(f"pyod:{label}", CATALOGUE[label], label))


FAMILY = Pyod()


@dataclass(frozen=True)
class _Marking:
    """A function that marks the fragments that PyOD finds unusual; see `Mark`.

    Attributes
    ----------
    name : str
        `pyod:` and PyOD's own name.
    known : Known
        Its entry in the catalogue.
    kind : callable
        Its class.
    arguments : dict of str to Parameter
        The arguments that replace its defaults.
    most_fitted : int, optional
        The largest number of fragments to fit it on.
    """

    name: str
    known: Known
    kind: Callable[..., engine.Estimator]
    arguments: Mapping[str, Parameter]
    most_fitted: int | None

    def __call__(
        self,
        fragments: Fragments,
        k_est: int,
        progress: Progress,
        /,
        *,
        keep_distances: bool = False,
    ) -> Marks:
        """Mark the fragments of n participants, in id order.

        Raises
        ------
        UsageError
            When the detector cannot be run on such fragments.
        """
        dimension = fragments.cut.dimension
        if self.known.one_value and dimension != 1:
            raise UsageError(
                f"{self.name} takes fragments of one value, and these have {dimension}; "
                "try --fragment block:1, or another detector (ariba audit --list-detectors)"
            )
        given = self._estimator_arguments(dimension, k_est / fragments.participants)
        most = self.known.fit_sample if self.most_fitted is None else self.most_fitted
        fitted = min(most, fragments.total)
        plan = engine.Plan(
            name=self.name,
            build=lambda: self.kind(**given),
            fit_sample=fitted,
            chunk=self.known.chunk(fitted),
            spread=self.known.rows is Rows.TOGETHER,
            seed=self._seed,
        )
        marks = engine.score(fragments, k_est, plan, progress, keep_distances=keep_distances)
        parameters = {**given, "fit_sample": plan.fit_sample, "random_state": plan.seed}
        return replace(marks, parameters=parameters)

    @property
    def _seed(self) -> int:
        seed = self.arguments.get("random_state", _DEFAULT_SEED)
        if type(seed) is not int or not 0 <= seed <= _MOST_SEED:
            raise UsageError(
                f"random_state must be an integer from 0 to {_MOST_SEED}, not '{seed}'"
            )
        return seed

    def _estimator_arguments(self, dimension: int, contamination: float) -> dict[str, Parameter]:
        """Return its arguments: the given ones, and those facts of the layer that it takes."""
        taken = _arguments_of(self.kind)
        known: dict[str, Parameter] = {
            "contamination": min(contamination, _MOST_CONTAMINATION),
            "n_features": dimension,
            "random_state": self._seed,
        }
        fitting = {key: value for key, value in known.items() if key in taken}
        return {**fitting, **self.arguments}


def _imported(name: str, known: Known, label: str) -> Callable[..., engine.Estimator]:
    try:
        with engine.quiet():
            module = importlib.import_module(f"pyod.models.{known.module}")
    except ModuleNotFoundError as error:
        missing = (error.name or "pyod").partition(".")[0]
        if missing == "pyod" and error.name != "pyod":
            raise UsageError(
                f"the installed version of PyOD has no {label}; install a newer one, or use "
                "another detector (ariba audit --list-detectors)"
            ) from error
        raise UsageError(
            f"{name} needs the package '{missing}', which is not installed; install it, or use "
            "another detector (ariba audit --list-detectors)"
        ) from error
    kind: Callable[..., Any] = getattr(module, label)
    return kind


def _arguments_of(kind: Callable[..., object]) -> list[str]:
    """Return the names of the arguments that a class takes."""
    return [
        parameter.name
        for parameter in inspect.signature(kind).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
