"""The steps that all readers of data sets share: open files, name the unsound, check and scale."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.federated.datasets.dataset import Dataset, FloatArray, LabelArray
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import OpenFile, enough_memory, open_file

# Far more than the files of any known set of small images.
MOST_BYTES = 2**30

Bytes = npt.NDArray[np.uint8]

# Images of shape (samples, channels, height, width), and as many labels.
Split = tuple[Bytes, LabelArray]


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put a file's name before the message of an error.

    Raises
    ------
    InputError
        When the block refuses the file, or runs out of memory.
    """
    try:
        with enough_memory():
            yield
    except RefusedFileError as error:
        raise InputError(f"'{path}' {error}") from error


@contextmanager
def opened(path: Path, limits: Limits | None = None, *, most_bytes: int) -> Iterator[OpenFile]:
    """Open a regular file of the user's own; unlike in a round, it may be a link.

    Raises
    ------
    InputError
        When it cannot be opened, or the block refuses it.
    """
    target = Path(os.path.realpath(path))
    with naming(path), open_file(target, limits or Limits(), most_bytes=most_bytes) as file:
        yield file


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, sorted; none when there is no such folder.

    Raises
    ------
    InputError
        When it cannot be listed.
    """
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise InputError(f"'{folder}' cannot be listed: {error.strerror}") from error


def check_labels(labels: npt.NDArray[np.integer], classes: int) -> LabelArray:
    """Return the labels, if each is that of a class.

    Raises
    ------
    RefusedFileError
        When there are none, or one is out of range.
    """
    if labels.size == 0:
        raise RefusedFileError("has no labels")
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.size:
        raise RefusedFileError(f"has the label {wrong[0]}; labels are from 0 to {classes - 1}")
    return labels.astype(np.int64)


def check_alike(train: Sequence[int], test: Sequence[int]) -> None:
    """Refuse test images of another shape than the training images.

    Raises
    ------
    RefusedFileError
        When the shapes differ.
    """
    if tuple(train) != tuple(test):
        shapes = ["×".join(map(str, shape)) for shape in (test, train)]
        raise RefusedFileError(
            f"has images of {shapes[0]} (channels, height, width), but the training images are "
            f"{shapes[1]}"
        )


def scaled(pixels: Bytes) -> FloatArray:
    """Return bytes as numbers in [0, 1]."""
    return np.divide(pixels, 255, dtype=np.float32)


def dataset_of_bytes(name: str, classes: int, train: Split, test: Split) -> Dataset:
    """Return a data set whose images are bytes."""
    return Dataset(name, classes, scaled(train[0]), train[1], scaled(test[0]), test[1])
