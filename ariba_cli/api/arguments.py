"""The conversion of plain Python values into paths, names, tensors and detectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ariba_cli.auditing.settings import (
    DEFAULT_K_EST,
    AuditSettings,
    KEst,
    default_detector,
    settled_level,
)
from ariba_cli.base.errors import UsageError
from ariba_cli.base.extras import require_for_detector
from ariba_cli.base.parameters import Parameter
from ariba_cli.detectors import all_different, make_detector, make_detectors
from ariba_cli.detectors.declaration import Detector
from ariba_cli.formats.layouts import LAYOUTS
from ariba_cli.scoring.devices import AUTO, DeviceChoice

if TYPE_CHECKING:
    from ariba_cli.scoring.panel.baseline import Baseline

PathText = str | PathLike[str]
# The tensors of one model by name, or the values of a single one.
Tensors = Mapping[str, npt.ArrayLike] | npt.ArrayLike
# Their names, or the arguments of each by its name.
Detectors = str | Sequence[str] | Mapping[str, Mapping[str, Parameter]]

# What a model of a single tensor calls it.
_ONLY = "weight"


def several(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return names as a tuple, from one name or several."""
    return (given,) if isinstance(given, str) else tuple(given)


def named_tensors(tensors: Tensors) -> dict[str, npt.NDArray[np.floating]]:
    """Return the arrays of a model by name."""
    if isinstance(tensors, Mapping):
        return {name: np.asarray(values) for name, values in tensors.items()}
    return {_ONLY: np.asarray(tensors)}


@dataclass(frozen=True)
class Asked:
    """The options given to an audit, independent of the source of the updates.

    Attributes
    ----------
    layers : tuple of str
        Names, patterns or `all`; none for all that hold weights.
    fragment : str, optional
        The fragment into which they are cut.
    level : float, optional
        The false-discovery level.
    k_est : int or str, optional
        The number of suspects to name.
    detectors : str, sequence of str, or dict, optional
        The names of detectors; the first decides.
    arguments : dict, optional
        The arguments, each for all detectors that take it.
    excluded : tuple of str
        The ids of participants to leave out.
    baseline : sequence of paths
        The reports on clean rounds of one's own.
    layout : str, optional
        The order of the axes of weights.
    by_order : bool
        True to match tensors by their order and shapes.
    """

    layers: tuple[str, ...]
    fragment: str | None
    level: float | None
    k_est: int | str | None
    detectors: Detectors | None
    arguments: Mapping[str, Parameter] | None
    excluded: tuple[str, ...]
    baseline: Sequence[PathText] = ()
    layout: str | None = None
    by_order: bool = False


def settings_for(
    asked: Asked, fit_sample: int | None = None, device: DeviceChoice = AUTO
) -> AuditSettings:
    """Return the settings of an audit, with the default for each option that was not given.

    Parameters
    ----------
    asked : Asked
        The given options.
    fit_sample : int, optional
        The largest number of fragments on which a detector of PyOD is fitted.
    device : DeviceChoice, optional
        The device on which detectors work.

    Raises
    ------
    UsageError
        When it does not fit together, or there is no such detector.
    """
    k_est = asked.k_est is not None
    named = asked.detectors
    if named is None:
        named = default_detector(k_est=k_est, layers=asked.layers, fragment=asked.fragment)
    baseline = None
    if asked.baseline:
        from ariba_cli.reports.baseline import read_baseline

        baseline = read_baseline(tuple(map(Path, asked.baseline)))
    detectors = _chosen_detectors(named, asked.arguments, fit_sample, device, baseline)
    if baseline is not None and not detectors[0].declaration.gives_p_values:
        raise UsageError(
            f"a baseline is for p-values, and {detectors[0].declaration.name} gives none; take "
            "--detector panel, or leave out the baseline"
        )
    if asked.layout is not None and asked.layout not in LAYOUTS:
        raise UsageError(f"there is no layout '{asked.layout}'; use {', '.join(LAYOUTS)}")
    return AuditSettings(
        layers=asked.layers,
        fragment=asked.fragment,
        k_est=KEst.parse(DEFAULT_K_EST if asked.k_est is None else asked.k_est),
        level=settled_level(asked.level, k_est=k_est, decides=detectors[0]),
        detectors=detectors,
        baseline=baseline,
        excluded=asked.excluded,
        layout=asked.layout,
        by_order=asked.by_order,
    )


def _chosen_detectors(
    named: Detectors,
    arguments: Mapping[str, Parameter] | None,
    fit_sample: int | None,
    device: DeviceChoice,
    baseline: "Baseline | None",
) -> tuple[Detector, ...]:
    """Return the detectors that were named, with their arguments.

    Raises
    ------
    UsageError
        When there is none of that name, its library is not installed, or it does not take its
        arguments.
    """
    for name in several(named) if isinstance(named, str) else named:
        require_for_detector(name)
    if not isinstance(named, Mapping):
        return make_detectors(several(named), arguments, fit_sample, device, baseline)
    if arguments:
        raise UsageError("detectors has the arguments of each already; leave out the others")
    return all_different(
        make_detector(name, own, None, device, baseline) for name, own in named.items()
    )
