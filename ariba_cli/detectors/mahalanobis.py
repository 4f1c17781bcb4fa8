"""ARIBA (arXiv 2202.04311, Algorithms 1 and 2): marks by Mahalanobis distance."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ariba_cli.base.errors import UsageError
from ariba_cli.base.progress import Progress
from ariba_cli.scoring import engine
from ariba_cli.scoring.devices import AUTO, DeviceChoice
from ariba_cli.scoring.marks import Marks, Parameter
from ariba_cli.updates.fragments import Fragments

NAME = "mahalanobis"


@dataclass(frozen=True)
class Mahalanobis:
    """Scores participants by how many of their fragments are marked; see `Detector`."""

    placement: DeviceChoice = AUTO
    name: str = NAME
    same_on_every_machine: bool = True
    # There is nothing to choose.
    arguments: Mapping[str, Parameter] = field(default_factory=dict)
    most_fitted: int | None = None

    def __call__(
        self,
        fragments: Fragments,
        k_est: int,
        _progress: Progress,
        /,
        *,
        keep_distances: bool = False,
    ) -> Marks:
        """Score the fragments of n participants, in id order."""
        processor = self.placement.processor(fragments)
        return engine.score(fragments, k_est, processor, keep_distances=keep_distances)


def make(
    variant: str,
    arguments: Mapping[str, Parameter],
    fit_sample: int | None,
    placement: DeviceChoice,
) -> Mahalanobis:
    """The detector, which leaves nothing to choose but where it works.

    Raises
    ------
    UsageError
        When something else was chosen.
    """
    if variant:
        raise UsageError(f"there is no detector '{NAME}:{variant}'; use {NAME}")
    for option, given in (("--detector-arg", arguments), ("--fit-sample", fit_sample)):
        if given:
            raise UsageError(f"{NAME} takes no {option}; it is for --detector pyod:NAME")
    return Mahalanobis(placement)
