"""`cifar10`: the binary batches, or the Python ones."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.federated.datasets.checks import (
    Split,
    check_labels,
    dataset_of_bytes,
    names_in,
    opened,
)
from ariba_cli.federated.datasets.cifar10_pickles import unpickled
from ariba_cli.federated.datasets.dataset import Dataset
from ariba_cli.federated.datasets.source import Published

_CLASSES = 10
_IMAGE = (3, 32, 32)
_RECORD_BYTES = 1 + 3 * 32 * 32

# The published batches have 31 MB.
_MOST_BYTES = 2**28

_FOLDERS = ("cifar-10-batches-bin", "cifar-10-batches-py")


@dataclass(frozen=True)
class Cifar10:
    """A set of colour photographs of ten classes, 32×32, in any number of training batches."""

    name: str
    published: tuple[Published, ...]
    from_files: ClassVar[bool] = True

    def missing(self, folder: Path, /) -> list[str]:
        """See `Source`."""
        batches = _find(folder)
        lacking = [] if batches.train else [f"data_batch_1{batches.suffix}"]
        if not os.path.lexists(batches.test):
            lacking.append(batches.test.name)
        return lacking

    def load(self, folder: Path, /) -> Dataset:
        """See `Source`."""
        batches = _find(folder)
        train = [_read(path, batches.parse) for path in batches.train]
        images, labels = (np.concatenate(parts) for parts in zip(*train, strict=True))
        test = _read(batches.test, batches.parse)
        return dataset_of_bytes(self.name, _CLASSES, (images, labels), test)


@dataclass(frozen=True)
class _Batches:
    """The batches of one kind in a folder; `parse` returns their rows of pixels, and labels."""

    folder: Path
    suffix: str
    train: tuple[Path, ...]
    parse: Callable[[bytes], Split]

    @property
    def test(self) -> Path:
        return self.folder / f"test_batch{self.suffix}"


def _find(folder: Path) -> _Batches:
    """Return the first kind of batches that is there; the published kind, empty, when none is."""
    places = [folder, *(folder / name for name in _FOLDERS)]
    kinds = ((".bin", _records), ("", _pickle))
    found = [_batches(place, suffix, parse) for place in places for suffix, parse in kinds]
    return next((one for one in found if one.train or os.path.lexists(one.test)), found[0])


def _batches(folder: Path, suffix: str, parse: Callable[[bytes], Split]) -> _Batches:
    pattern = re.compile(rf"data_batch_([1-9][0-9]{{0,5}}){re.escape(suffix)}")
    matches = [match for name in names_in(folder) if (match := pattern.fullmatch(name))]
    matches.sort(key=lambda match: int(match[1]))
    return _Batches(folder, suffix, tuple(folder / match[0] for match in matches), parse)


def _read(path: Path, parse: Callable[[bytes], Split]) -> Split:
    with opened(path, most_bytes=_MOST_BYTES) as file:
        rows, labels = parse(file.read(0, file.size))
        return rows.reshape(-1, *_IMAGE), check_labels(labels, _CLASSES)


def _records(data: bytes) -> Split:
    """Return pixels and labels: a byte of label, then 1,024 each of red, green and blue."""
    if not data or len(data) % _RECORD_BYTES:
        raise RefusedFileError(
            f"has {len(data):,} bytes, not a multiple of the {_RECORD_BYTES:,} of an image"
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, _RECORD_BYTES)
    return records[:, 1:], records[:, 0].astype(np.int64)


def _pickle(data: bytes) -> Split:
    rows, labels = unpickled(data)
    if rows.shape != (len(labels), _RECORD_BYTES - 1):
        raise RefusedFileError(
            f"has pixels of shape {rows.shape} for {len(labels):,} labels; an image is a row of "
            f"{_RECORD_BYTES - 1:,}"
        )
    return rows, labels


_MEMBERS = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")

CIFAR10 = Cifar10(
    "cifar10",
    (
        Published(
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            170_052_171,
            members=tuple(f"cifar-10-batches-bin/{name}" for name in _MEMBERS),
        ),
    ),
)
