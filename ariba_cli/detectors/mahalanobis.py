"""ARIBA (arXiv 2202.04311, Algorithms 1 and 2): marks by Mahalanobis distance."""

from typing import TYPE_CHECKING

from ariba_cli.base.progress import Progress
from ariba_cli.detectors.declaration import (
    Declaration,
    LayerDetector,
    Scope,
    Setting,
    check_arguments,
)

if TYPE_CHECKING:
    from ariba_cli.scoring.marks import Marks
    from ariba_cli.updates.fragments import Fragments

DECLARATION = Declaration(
    name="mahalanobis",
    scope=Scope.LAYER,
    summary="the share of an update's fragments that lie far from all others",
    equation="S_i/m, the share of the k_est·m marks; the fragments x of largest xᵀΣ⁻¹x are marked",
    source="Mi et al., Identifying backdoor attacks in federated learning (ARIBA), 2022",
    score="share",
)


class Mahalanobis:
    """The maker of the detector."""

    declaration = DECLARATION

    def make(self, _: str, setting: Setting) -> LayerDetector:
        """Return the detector, which leaves nothing to choose but its device."""
        check_arguments(DECLARATION, setting)

        def mark(
            fragments: "Fragments", k_est: int, _: Progress, /, *, keep_distances: bool = False
        ) -> "Marks":
            from ariba_cli.scoring import engine

            processor = setting.device.processor(fragments)
            return engine.score(fragments, k_est, processor, keep_distances=keep_distances)

        return LayerDetector(DECLARATION, mark, {})


FAMILY = Mahalanobis()
