"""Training that moves some coordinates alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

Masks = dict[str, npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Masked:
    """A hook that puts back all that a step has moved off the mask."""

    masks: Masks

    def __call__(
        self,
        parameters: "Mapping[str, torch.Tensor]",
        start: "Mapping[str, torch.Tensor]",
        step: int,
        steps: int,
    ) -> None:
        """Put it back after every step; see `StepHook`."""
        import torch

        del step, steps
        for name, now in parameters.items():
            mask = torch.from_numpy(self.masks[name]).to(now.device)
            now.copy_(torch.where(mask, now, start[name]))


def smallest(sizes: Mapping[str, npt.NDArray[np.floating]], share: float) -> Masks:
    """Return a mask of the share of all coordinates that are the smallest.

    Of two that are alike, the first in order of names and places is less.
    """
    flat = np.concatenate([sizes[name].ravel() for name in sorted(sizes)])
    chosen = np.zeros(len(flat), bool)
    chosen[np.argsort(flat, kind="stable")[: round(share * len(flat))]] = True
    masks, at = {}, 0
    for name in sorted(sizes):
        masks[name] = chosen[at : at + sizes[name].size].reshape(sizes[name].shape)
        at += sizes[name].size
    return masks
