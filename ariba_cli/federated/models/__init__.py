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
from ariba_cli.federated.models.cnn import build_cnn, build_wide_cnn
from ariba_cli.federated.models.mlp import build_mlp
from ariba_cli.federated.models.resnet import (
    build_resnet8,
    build_resnet8_gn,
    build_resnet18,
    build_resnet18_gn,
)
from ariba_cli.federated.models.transformer import build_transformer

__all__ = [
    "MODELS",
    "Architecture",
    "ImageShape",
    "Weights",
    "architecture_for",
    "load_weights",
    "weights_of",
]

MODELS: dict[str, Build] = {
    "cnn": build_cnn,
    "wide-cnn": build_wide_cnn,
    "mlp": build_mlp,
    "resnet8": build_resnet8,
    "resnet8-gn": build_resnet8_gn,
    "resnet18": build_resnet18,
    "resnet18-gn": build_resnet18_gn,
    "transformer": build_transformer,
}

# The least side of an image that every network here can take.
_LEAST_SIDE = 4


def architecture_for(name: str, dataset: Dataset) -> Architecture:
    """Return the network of a name, for the images and classes of a data set.

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
