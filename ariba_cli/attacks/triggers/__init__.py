"""Triggers: what the attacker puts into an image, so that it is taken for the target class."""

from typing import Protocol

from ariba_cli.attacks.triggers.pattern import pattern
from ariba_cli.federated.datasets import FloatArray


class Trigger(Protocol):
    """Puts a trigger into images."""

    def __call__(self, images: FloatArray) -> FloatArray:
        """Copies of images of shape (samples, channels, height, width), with the trigger."""
        ...


TRIGGERS: dict[str, Trigger] = {"pattern": pattern}
