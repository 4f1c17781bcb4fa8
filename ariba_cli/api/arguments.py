"""The conversion of plain Python values into paths, names, tensors and detectors."""

from collections.abc import Mapping, Sequence
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


def settings_for(
    *,
    layers: str | Sequence[str] = (),
    fragment: str | None = None,
    level: float | None = None,
    k_est: int | str | None = None,
    detectors: Detectors | None = None,
    detector_arguments: Mapping[str, Parameter] | None = None,
    exclude: str | Sequence[str] = (),
    baseline: Sequence[PathText] = (),
    layout: str | None = None,
    by_order: bool = False,
    fit_sample: int | None = None,
    device: DeviceChoice = AUTO,
) -> AuditSettings:
    """Return the settings of an audit, with the default for each option that was not given.

    Parameters
    ----------
    layers, fragment, level, k_est, detectors, detector_arguments, exclude, baseline, layout, \
by_order, fit_sample : optional
        The same as for `audit`.
    device : DeviceChoice, optional
        The device on which detectors work.

    Raises
    ------
    UsageError
        When it does not fit together, or there is no such detector.
    """
    named = several(layers)
    if detectors is None:
        detectors = default_detector(k_est=k_est is not None, layers=named, fragment=fragment)
    measure = None
    if baseline:
        from ariba_cli.reports.baseline import read_baseline

        measure = read_baseline(tuple(map(Path, baseline)))
    chosen = _chosen_detectors(detectors, detector_arguments, fit_sample, device, measure)
    if measure is not None and not chosen[0].declaration.gives_p_values:
        raise UsageError(
            f"a baseline is for p-values, which {chosen[0].declaration.name} does not give; use "
            "--detector panel, or leave out the baseline"
        )
    if layout is not None and layout not in LAYOUTS:
        raise UsageError(f"unknown layout '{layout}'; use one of {', '.join(LAYOUTS)}")
    return AuditSettings(
        layers=named,
        fragment=fragment,
        k_est=KEst.parse(DEFAULT_K_EST if k_est is None else k_est),
        level=settled_level(level, k_est=k_est is not None, decides=chosen[0]),
        detectors=chosen,
        baseline=measure,
        excluded=several(exclude),
        layout=layout,
        by_order=by_order,
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
        raise UsageError("detectors already holds arguments; leave out detector_arguments")
    return all_different(
        make_detector(name, own, None, device, baseline) for name, own in named.items()
    )
