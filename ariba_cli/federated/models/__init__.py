"""The networks that a federation trains, by name. A new one is a module and a line in `MODELS`."""

from ariba_cli.base.errors import UsageError
from ariba_cli.base.registry import registered
from ariba_cli.federated.datasets import Dataset
from ariba_cli.federated.models.architecture import (
    Architecture,
    Build,
    ImageShape,
    Weights,
    load_weights,
    weights_of,
)
from ariba_cli.federated.models.cnn import build_cnn
from ariba_cli.federated.models.resnet import build_resnet18

__all__ = [
    "MODELS",
    "Architecture",
    "ImageShape",
    "Weights",
    "architecture_for",
    "load_weights",
    "weights_of",
]

MODELS: dict[str, Build] = {"cnn": build_cnn, "resnet18": build_resnet18}

# The least side of an image that every network here can take.
_LEAST_SIDE = 4


def architecture_for(name: str, dataset: Dataset) -> Architecture:
    """The network of that name, for the images and classes of a data set.

    Raises
    ------
    UsageError
        When there is none, or the images are too small.
    """
    build = registered(MODELS, name, kind="model")
    images = ImageShape(*dataset.train_images.shape[1:])
    if min(images.height, images.width) < _LEAST_SIDE:
        raise UsageError(
            f"the images of {dataset.name} have {images.height}×{images.width} pixels; models "
            f"need at least {_LEAST_SIDE}×{_LEAST_SIDE}"
        )
    return Architecture(name, build, images, dataset.classes)
