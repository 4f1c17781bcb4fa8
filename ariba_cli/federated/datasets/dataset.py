"""A data set, wherever it comes from."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
LabelArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Dataset:
    """A set of images of shape (samples, channels, height, width) in [0, 1], and their classes.

    Attributes
    ----------
    name : str
        The name in `DATASETS`.
    classes : int
        The number of classes; labels are from 0 to one less.
    train_images, test_images : float32 array
        The images.
    train_labels, test_labels : int64 array
        The label of each image.
    """

    name: str
    classes: int
    train_images: FloatArray
    train_labels: LabelArray
    test_images: FloatArray
    test_labels: LabelArray

    @cached_property
    def fingerprint(self) -> str:
        """Return the sha256, in hex, of the four arrays: their shapes and little-endian bytes."""
        digest = hashlib.sha256()
        arrays = (self.train_images, self.train_labels, self.test_images, self.test_labels)
        for array in arrays:
            portable = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            digest.update(f"{portable.dtype.str}{portable.shape}".encode())
            digest.update(portable.data.cast("B"))
        return digest.hexdigest()
