"""Model files and rounds, made by hand for tests."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ariba_cli.formats import ENCODERS

Tensors = Mapping[str, npt.NDArray[np.floating]]


def random_model(seed: int, scale: float = 1.0) -> dict[str, npt.NDArray[np.float32]]:
    """Two convolutions and a linear layer."""
    rng = np.random.default_rng(seed)
    shapes = {"conv1.weight": (4, 1, 3, 3), "conv2.weight": (8, 4, 3, 3), "fc.weight": (5, 32)}
    return {
        name: (scale * rng.standard_normal(shape)).astype(np.float32)
        for name, shape in shapes.items()
    }


def write_model(path: Path, tensors: Tensors, format_name: str = "safetensors") -> None:
    """Write a model file by the project's own encoder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ENCODERS[format_name].encode(tensors))


def write_flat_round(root: Path, participants: int = 6, *, boosted: int = 1) -> Path:
    """A directory of updates without manifest or global model; the first are boosted."""
    for index in range(participants):
        model = random_model(index, scale=20.0 if index < boosted else 1.0)
        write_model(root / f"p{index}.safetensors", model)
    return root


def safetensors_bytes(header: object, data: bytes = b"", *, length: int | None = None) -> bytes:
    """A safetensors file with any header, honest or not."""
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = len(encoded) if length is None else length
    return size.to_bytes(8, "little") + encoded + data
