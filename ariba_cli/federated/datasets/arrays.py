"""`arrays`: a folder of the user's own `.npz` files.

Together they have `x_train`, `y_train`, `x_test` and `y_test`. They are read like the files of a
round: types that would have to be unpickled are refused.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.federated.datasets.checks import (
    check_alike,
    check_labels,
    names_in,
    naming,
    opened,
    scaled,
)
from ariba_cli.federated.datasets.dataset import Dataset, FloatArray, LabelArray
from ariba_cli.federated.datasets.source import Published
from ariba_cli.files.limits import Limits
from ariba_cli.formats import npz
from ariba_cli.formats.model import Model, ReadOptions
from ariba_cli.formats.tensors import NUMPY_TYPES

_SUFFIX = ".npz"
_KEYS = ("x_train", "y_train", "x_test", "y_test")
_CHANNELS = (1, 3)

# Images of one's own may be large; what they unpack to must still fit in memory.
_LIMITS = Limits(expanded_bytes=2**33)

_DTYPES = {name: np.dtype(code) for code, name in NUMPY_TYPES.items()}


@dataclass(frozen=True)
class Arrays:
    """The user's own images and labels; there are as many classes as `y_train` has labels."""

    name: str = "arrays"
    published: tuple[Published, ...] = ()
    from_files: ClassVar[bool] = True

    def missing(self, folder: Path, /) -> list[str]:
        """See `Source`."""
        return [] if _files(folder) else [f"any {_SUFFIX} file"]

    def load(self, folder: Path, /) -> Dataset:
        """See `Source`."""
        arrays = _find(folder)
        train_images, train_labels = _images(arrays["x_train"]), _labels(arrays["y_train"])
        test_images, test_labels = _images(arrays["x_test"]), _labels(arrays["y_test"])
        with naming(arrays["y_train"].path):
            classes = _classes(train_labels)
            _check_pairs("train", train_images, train_labels)
        with naming(arrays["y_test"].path):
            check_labels(test_labels, classes)
            _check_pairs("test", test_images, test_labels)
        with naming(arrays["x_test"].path):
            check_alike(train_images.shape[1:], test_images.shape[1:])
        return Dataset(self.name, classes, train_images, train_labels, test_images, test_labels)


@dataclass(frozen=True)
class _Listed:
    """An array in a file, which is read on request."""

    path: Path
    model: Model
    key: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.model.tensors[self.key].spec.shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        return _DTYPES[self.model.tensors[self.key].spec.dtype]

    def read(self) -> npt.NDArray[np.generic]:
        return np.frombuffer(self.model.read(self.key), self.dtype).reshape(self.shape)


def _files(folder: Path) -> list[Path]:
    """Return the archives in a folder; names with a dot are of editors and file systems."""
    names = (name for name in names_in(folder) if not name.startswith("."))
    return [folder / name for name in names if name.endswith(_SUFFIX)]


def _find(folder: Path) -> Mapping[str, _Listed]:
    found: dict[str, _Listed] = {}
    for path in _files(folder):
        with opened(path, _LIMITS, most_bytes=_LIMITS.file_bytes) as file:
            model = npz.open_model(file, ReadOptions(_LIMITS))
        for key in _KEYS:
            if key in model.skipped:
                with naming(path):
                    raise RefusedFileError(f"has {key} as an array of {model.skipped[key]}")
            if key in found and key in model.tensors:
                raise InputError(f"'{path}' and '{found[key].path.name}' both have {key}")
            if key in model.tensors:
                found[key] = _Listed(path, model, key)
    lacking = [key for key in _KEYS if key not in found]
    if lacking:
        raise InputError(f"no {_SUFFIX} file in '{folder}' has {', '.join(lacking)}")
    return found


def _images(listed: _Listed) -> FloatArray:
    """Return the images, of shape (samples, channels, height, width), in [0, 1]."""
    with naming(listed.path):
        order = _channels_first(listed)
        if listed.dtype == np.uint8:
            pixels: npt.NDArray[np.uint8] = listed.read().view(np.uint8)
            images = scaled(pixels)
        elif listed.dtype.kind == "f":
            images = _checked(listed)
        else:
            raise RefusedFileError(
                f"has {listed.key} of type {listed.dtype}; images are uint8, or floats in [0, 1]"
            )
        whole = images[:, None] if order is None else images.transpose(order)
        return np.ascontiguousarray(whole)


def _channels_first(listed: _Listed) -> tuple[int, ...] | None:
    """Return the order of dimensions that puts the channels second; None without channels."""
    shape = listed.shape
    shown = "×".join(map(str, shape)) or "a single number"
    if math.prod(shape) == 0:
        raise RefusedFileError(f"has {listed.key} with nothing in it ({shown})")
    if len(shape) == 3:
        return None
    first, last = (len(shape) == 4 and shape[at] in _CHANNELS for at in (1, 3))
    if first == last:
        raise RefusedFileError(
            f"has {listed.key} of {shown}, which does not show the channels: images are (n, h, w), "
            "(n, h, w, c) or (n, c, h, w) with 1 or 3 channels"
        )
    return (0, 1, 2, 3) if first else (0, 3, 1, 2)


def _checked(listed: _Listed) -> FloatArray:
    values = listed.read()
    # What is not a number is neither.
    if not (values.min() >= 0 and values.max() <= 1):
        raise RefusedFileError(f"has values in {listed.key} that are not in [0, 1]")
    return values.astype(np.float32)


def _labels(listed: _Listed) -> LabelArray:
    with naming(listed.path):
        if listed.dtype.kind not in "iu" or len(listed.shape) != 1:
            raise RefusedFileError(
                f"has {listed.key} of type {listed.dtype} in {len(listed.shape)} dimensions; "
                "labels are integers in one dimension"
            )
        labels: npt.NDArray[np.integer] = listed.read()  # type: ignore[assignment]
        return check_labels(labels, np.iinfo(np.int32).max)


def _classes(labels: LabelArray) -> int:
    """Return the number of classes, if each is in the training set.

    Labels often start at 1 by mistake.
    """
    found = np.unique(labels)
    expected = np.arange(len(found))
    if not np.array_equal(found, expected):
        lacking = int(expected[found != expected][0])
        raise RefusedFileError(
            f"has labels up to {found[-1]} in y_train, but not {lacking}; labels count from 0 "
            "without gaps"
        )
    return len(found)


def _check_pairs(part: str, images: FloatArray, labels: LabelArray) -> None:
    if len(images) != len(labels):
        raise RefusedFileError(
            f"has {len(labels):,} labels in y_{part} for the {len(images):,} images of x_{part}"
        )


ARRAYS = Arrays()
