"""Any detector of PyOD in the place of the Mahalanobis distance, as `pyod:ECOD`."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ariba_cli.base.errors import UsageError
from ariba_cli.base.progress import Progress
from ariba_cli.scoring import pyod as engine
from ariba_cli.scoring.devices import DeviceChoice
from ariba_cli.scoring.marks import Marks, Parameter
from ariba_cli.scoring.pyod_catalogue import CATALOGUE, Known, Rows, find
from ariba_cli.updates.fragments import Fragments

# PyOD takes no contamination above it.
_MOST_CONTAMINATION = 0.5
_DEFAULT_SEED = 0
_MOST_SEED = 2**32 - 1


@dataclass(frozen=True)
class PyodDetector:
    """Scores participants by how many of their fragments PyOD finds unusual; see `Detector`.

    Attributes
    ----------
    name : `pyod:` and PyOD's own name.
    known : what is known of it.
    kind : its class.
    arguments : what it is given beside its defaults.
    most_fitted : on how many fragments to fit it, at most; None for what takes a minute.
    """

    name: str
    known: Known
    kind: Callable[..., engine.Estimator]
    arguments: Mapping[str, Parameter]
    most_fitted: int | None
    same_on_every_machine: bool = False

    def __call__(
        self,
        fragments: Fragments,
        k_est: int,
        progress: Progress,
        /,
        *,
        keep_distances: bool = False,
    ) -> Marks:
        """Score the fragments of n participants, in id order.

        Raises
        ------
        UsageError
            When the detector cannot be run on such fragments.
        """
        dimension = fragments.cut.dimension
        if self.known.one_value and dimension != 1:
            raise UsageError(
                f"{self.name} takes fragments of one value and these have {dimension}; "
                "try --fragment block:1, or another detector (ariba audit --list-detectors)"
            )
        given = self._estimator_arguments(dimension, k_est / fragments.participants)
        fitted = self.known.fit_sample(fragments.total, dimension)
        if self.most_fitted is not None:
            fitted = min(self.most_fitted, fragments.total)
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
                f"random_state is '{seed}'; it must be an integer from 0 to {_MOST_SEED}"
            )
        return seed

    def _estimator_arguments(self, dimension: int, contamination: float) -> dict[str, Parameter]:
        """What it is made with: what is known of the layer, as far as it takes that."""
        taken = _arguments_of(self.kind)
        known: dict[str, Parameter] = {
            "contamination": min(contamination, _MOST_CONTAMINATION),
            "n_features": dimension,
            "random_state": self._seed,
        }
        fitting = {key: value for key, value in known.items() if key in taken}
        return {**fitting, **self.arguments}


def make(
    variant: str,
    arguments: Mapping[str, Parameter],
    fit_sample: int | None,
    placement: DeviceChoice,
) -> PyodDetector:
    """The detector that PyOD calls by that name, in any case.

    Raises
    ------
    UsageError
        When there is none, when it cannot be used here or lacks a package, or when it does
        not take these arguments.
    """
    label = find(variant)
    if placement.device not in ("auto", "cpu"):
        raise UsageError(f"pyod:{label} takes no --device; it is for mahalanobis")
    name, known = f"pyod:{label}", CATALOGUE[label]
    kind = _imported(name, known, label)
    taken = _arguments_of(kind)
    unknown = [key for key in arguments if key not in taken]
    if unknown:
        raise UsageError(f"{name} takes no argument '{unknown[0]}'; it takes {', '.join(taken)}")
    return PyodDetector(name, known, kind, dict(arguments), fit_sample)


def _imported(name: str, known: Known, label: str) -> Callable[..., engine.Estimator]:
    try:
        with engine.quiet():
            module = importlib.import_module(f"pyod.models.{known.module}")
    except ModuleNotFoundError as error:
        missing = (error.name or "pyod").partition(".")[0]
        if missing == "pyod" and error.name != "pyod":
            raise UsageError(
                f"the installed version of PyOD has no {label}; install a newer one, or take "
                "another detector (ariba audit --list-detectors)"
            ) from error
        raise UsageError(
            f"{name} needs the package '{missing}', which is not installed; install it, or take "
            "another detector (ariba audit --list-detectors)"
        ) from error
    kind: Callable[..., Any] = getattr(module, label)
    return kind


def _arguments_of(kind: Callable[..., object]) -> list[str]:
    """What a class can be given by name."""
    return [
        parameter.name
        for parameter in inspect.signature(kind).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
