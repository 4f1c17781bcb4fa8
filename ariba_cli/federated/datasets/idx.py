"""`mnist` and `fashion-mnist`: four files in the IDX format, gzipped or not.

A file is two zero bytes, the code of the type, the number of dimensions, each dimension as
a big-endian 32-bit number, and then the values.
"""

import gzip
import io
import math
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.federated.datasets.checks import (
    MOST_BYTES,
    Bytes,
    Split,
    check_alike,
    check_labels,
    dataset_of_bytes,
    naming,
    opened,
)
from ariba_cli.federated.datasets.dataset import Dataset, LabelArray
from ariba_cli.federated.datasets.source import Published
from ariba_cli.files.opening import OpenFile

_IMAGES = "images-idx3-ubyte"
_LABELS = "labels-idx1-ubyte"
_STEMS = tuple(f"{part}-{kind}" for part in ("train", "t10k") for kind in (_IMAGES, _LABELS))
_GZ = ".gz"

_CLASSES = 10

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTES = b"\0\0\x08"


@dataclass(frozen=True)
class Idx:
    """A data set of ten classes in the four files that MNIST came in."""

    name: str
    published: tuple[Published, ...]
    from_files: ClassVar[bool] = True

    def missing(self, folder: Path, /) -> list[str]:
        """See `Source`."""
        return [stem + _GZ for stem in _STEMS if not _present(folder, stem)]

    def load(self, folder: Path, /) -> Dataset:
        """See `Source`."""
        train, test = (_split(folder, part) for part in ("train", "t10k"))
        with naming(_path(folder, f"t10k-{_IMAGES}")):
            check_alike(train[0].shape[1:], test[0].shape[1:])
        return dataset_of_bytes(self.name, _CLASSES, train, test)


def _variants(folder: Path, stem: str) -> list[Path]:
    """Return the possible names of a file: as published, unpacked, or with a dot in some copies."""
    dotted = stem.replace("-idx", ".idx")
    return [folder / (name + suffix) for name in (stem, dotted) for suffix in (_GZ, "")]


def _present(folder: Path, stem: str) -> list[Path]:
    return [path for path in _variants(folder, stem) if os.path.lexists(path)]


def _path(folder: Path, stem: str) -> Path:
    """Return the file's path; a folder of that name, which some archives have, is passed over."""
    present = _present(folder, stem)
    return next((path for path in present if path.is_file()), present[0])


def _split(folder: Path, part: str) -> Split:
    images_path = _path(folder, f"{part}-{_IMAGES}")
    images = _read(images_path, dimensions=3)[:, None]
    return images, _read_labels(_path(folder, f"{part}-{_LABELS}"), images_path.name, len(images))


def _read_labels(path: Path, images_name: str, images: int) -> LabelArray:
    labels = _read(path, dimensions=1)
    with naming(path):
        if len(labels) != images:
            raise RefusedFileError(
                f"has {len(labels):,} labels for the {images:,} images of '{images_name}'"
            )
        return check_labels(labels, _CLASSES)


def _read(path: Path, *, dimensions: int) -> Bytes:
    with opened(path, most_bytes=MOST_BYTES) as file, _stream(file) as stream:
        try:
            return _values(stream, dimensions)
        except EOFError:
            raise RefusedFileError("ends too early: its gzip stream is not complete") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise RefusedFileError(f"is not a valid gzip file ({type(error).__name__})") from error


def _stream(file: OpenFile) -> io.BufferedIOBase:
    """Return the contents as a stream, unpacked if they are packed, whatever the file's name."""
    raw = io.FileIO(file.descriptor, closefd=False)
    if file.head.startswith(_GZIP_MAGIC):
        return gzip.GzipFile(fileobj=raw, mode="rb")
    return io.BufferedReader(raw)


def _values(stream: io.BufferedIOBase, dimensions: int) -> Bytes:
    """Return the values that the header promises; no more than these are ever unpacked."""
    start = _UNSIGNED_BYTES + bytes([dimensions])
    header = stream.read(len(start) + 4 * dimensions)
    if len(header) < len(start) + 4 * dimensions or not header.startswith(start):
        raise RefusedFileError(
            f"is not an IDX file of unsigned bytes in {dimensions} dimension(s): it starts with "
            f"{header[: len(start)].hex(' ') or 'nothing'}"
        )
    shape = tuple(np.frombuffer(header, ">u4", offset=len(start)).tolist())
    promised = math.prod(shape)
    if not 0 < promised <= MOST_BYTES:
        raise RefusedFileError(f"promises {promised:,} bytes; ariba reads 1 to {MOST_BYTES:,}")
    data = stream.read(promised)
    if len(data) < promised:
        raise RefusedFileError(f"has {len(data):,} of the {promised:,} bytes that it promises")
    # This reads the checksum at the end of a gzip stream too.
    if stream.read(1):
        raise RefusedFileError(f"goes on after the {promised:,} bytes that it promises")
    return np.frombuffer(data, np.uint8).reshape(shape)


_MNIST_PLACE = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION_PLACE = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"

MNIST = Idx(
    "mnist",
    (
        Published(
            f"{_MNIST_PLACE}train-images-idx3-ubyte.gz",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            9_912_422,
        ),
        Published(
            f"{_MNIST_PLACE}train-labels-idx1-ubyte.gz",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            28_881,
        ),
        Published(
            f"{_MNIST_PLACE}t10k-images-idx3-ubyte.gz",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            1_648_877,
        ),
        Published(
            f"{_MNIST_PLACE}t10k-labels-idx1-ubyte.gz",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            4_542,
        ),
    ),
)

FASHION_MNIST = Idx(
    "fashion-mnist",
    (
        Published(
            f"{_FASHION_PLACE}train-images-idx3-ubyte.gz",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            26_421_880,
        ),
        Published(
            f"{_FASHION_PLACE}train-labels-idx1-ubyte.gz",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            29_515,
        ),
        Published(
            f"{_FASHION_PLACE}t10k-images-idx3-ubyte.gz",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            4_422_102,
        ),
        Published(
            f"{_FASHION_PLACE}t10k-labels-idx1-ubyte.gz",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            5_148,
        ),
    ),
)
