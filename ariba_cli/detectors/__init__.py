"""Detectors, one file each: the updates of a layer → a score per participant.

A new detector is a file here, a line in `DETECTORS`, and a row in the test that covers
all detectors.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from ariba_cli.base.errors import UsageError
from ariba_cli.base.progress import Progress
from ariba_cli.detectors import mahalanobis, pyod
from ariba_cli.scoring.devices import AUTO, DeviceChoice
from ariba_cli.scoring.marks import Marks, Parameter
from ariba_cli.updates.fragments import Fragments


class Detector(Protocol):
    """Scores participants by one layer of their updates.

    Attributes
    ----------
    name : as it stands in the report.
    same_on_every_machine : whether its marks are.
    arguments : what it was given beside its defaults.
    most_fitted : on how many fragments it is fitted, at most; None for its default.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def same_on_every_machine(self) -> bool: ...  # noqa: D102

    @property
    def arguments(self) -> Mapping[str, Parameter]: ...  # noqa: D102

    @property
    def most_fitted(self) -> int | None: ...  # noqa: D102

    def __call__(
        self,
        fragments: Fragments,
        k_est: int,
        progress: Progress,
        /,
        *,
        keep_distances: bool = False,
    ) -> Marks:
        """Score the fragments of n participants, in id order; k_est is k̃.

        Parameters
        ----------
        keep_distances : whether the distance of every fragment is wanted, too.
        """
        ...


# What makes each detector: of what follows a colon in its name, of its arguments, and of
# how many fragments it may be fitted on, and where.
Maker = Callable[[str, Mapping[str, Parameter], int | None, DeviceChoice], Detector]

DETECTORS: dict[str, Maker] = {"mahalanobis": mahalanobis.make, "pyod": pyod.make}


def make_detector(
    name: str = "mahalanobis",
    arguments: Mapping[str, Parameter] | None = None,
    fit_sample: int | None = None,
    placement: DeviceChoice = AUTO,
) -> Detector:
    """The detector of that name, such as `mahalanobis` or `pyod:ECOD`.

    Parameters
    ----------
    arguments : what it takes beside the defaults, by name.
    fit_sample : on how many fragments to fit it, at most; None leaves that to the detector.
    placement : where it works.

    Raises
    ------
    UsageError
        When there is none of that name, or it does not take them.
    """
    family, _, variant = name.partition(":")
    if family not in DETECTORS:
        raise UsageError(
            f"there is no detector '{name}'; use mahalanobis or pyod:NAME, as pyod:ECOD "
            "(ariba audit --list-detectors shows all)"
        )
    return DETECTORS[family](variant, arguments or {}, fit_sample, placement)
