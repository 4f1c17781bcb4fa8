"""What plain Python values mean: paths, names, tensors and detectors."""

from collections.abc import Mapping, Sequence
from os import PathLike

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import UsageError
from ariba_cli.base.parameters import Parameter
from ariba_cli.detectors import all_different, make_detector, make_detectors
from ariba_cli.detectors.declaration import Detector
from ariba_cli.scoring.devices import DeviceChoice

PathText = str | PathLike[str]
# The tensors of one model by name, or the values of a single one.
Tensors = Mapping[str, npt.ArrayLike] | npt.ArrayLike
# Their names, or the arguments of each by its name.
Detectors = str | Sequence[str] | Mapping[str, Mapping[str, Parameter]]

# What a model of a single tensor calls it.
_ONLY = "weight"


def several(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return names as a tuple, whether one was given or several."""
    return (given,) if isinstance(given, str) else tuple(given)


def named_tensors(tensors: Tensors) -> dict[str, npt.NDArray[np.floating]]:
    """Return the arrays of a model by name."""
    if isinstance(tensors, Mapping):
        return {name: np.asarray(values) for name, values in tensors.items()}
    return {_ONLY: np.asarray(tensors)}


def chosen_detectors(
    named: Detectors,
    arguments: Mapping[str, Parameter] | None,
    fit_sample: int | None,
    device: DeviceChoice,
) -> tuple[Detector, ...]:
    """Return the detectors that were named, with their arguments.

    Raises
    ------
    UsageError
        When there is none of that name, or it does not take its arguments.
    """
    if not isinstance(named, Mapping):
        return make_detectors(several(named), arguments, fit_sample, device)
    if arguments:
        raise UsageError("detectors has the arguments of each already; leave out the others")
    return all_different(make_detector(name, own, None, device) for name, own in named.items())
