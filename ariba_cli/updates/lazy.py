"""The values of a tensor that stay in their file until they are needed."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.base.findings import FindingKind
from ariba_cli.updates.fragments import Indices
from ariba_cli.updates.intake import Submission
from ariba_cli.updates.nonfinite import NonFiniteCounter
from ariba_cli.updates.stored import Array, StoredTensor

_BLOCK = 2**18


class LeftOutError(Exception):
    """A participant that turned out to be unusable while a layer was scored."""


class LazyTensor:
    """The values of a participant's tensor that stay in their file; see `TensorValues`.

    They are hashed and checked as they are read in order for the first time.

    Parameters
    ----------
    stored : StoredTensor
        The tensor.
    submission : Submission
        The submission of the participant, who is left out if they are unusable.
    layer : str
        The name of the layer.
    """

    def __init__(self, stored: StoredTensor, submission: Submission, layer: str) -> None:
        self.stored = stored
        self._submission = submission
        self._layer = layer
        self._sha256 = hashlib.sha256()
        self._unusable = NonFiniteCounter()
        self._settled = 0
        self.size = stored.spec.values
        self.readers = stored.readers
        self.dtype = stored.dtype

    def __getitem__(self, which: slice | Indices) -> Array:
        """Return some of the values.

        Raises
        ------
        LeftOutError
            When they cannot be read, or cannot be scored.
        """
        if isinstance(which, slice):
            start, stop = which.start, min(which.stop, self.size)
            values: Array = np.empty(stop - start, self.dtype)
            self.write_to(start, stop, values)
            return values
        with self._readable():
            return self.stored[which]

    def write_to(self, start: int, stop: int, out: Array) -> None:
        """Write the values from start to stop into an array; see `__getitem__`."""
        with self._readable():
            for raw, values in self.stored.pieces(start, stop, out):
                if start == self._settled:
                    self._settle(raw, values)
                start += values.size

    def read_to_the_end(self) -> None:
        """Hash and check the rest."""
        while self._settled < self.size and self._submission.finding is None:
            with suppress(LeftOutError):
                self[self._settled : self._settled + _BLOCK]

    def settle(self, digest: str, unusable: NonFiniteCounter) -> None:
        """Record what came of all values when somebody else hashed and checked them."""
        self._settled = self.size
        settle(self._submission, self._layer, digest, unusable)

    def refuse(self, why: str) -> None:
        """Leave the participant out, since the values cannot be read."""
        self._submission.reject(FindingKind.REFUSED, why)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Leave the participant out when reading fails."""
        try:
            yield
        except RefusedFileError as error:
            self.refuse(str(error))
            raise LeftOutError from error

    def _settle(self, raw: memoryview, values: Array) -> None:
        """Hash and check the next values.

        Raises
        ------
        LeftOutError
            When some values cannot be scored.
        """
        self._settled += values.size
        self._sha256.update(raw)
        self._unusable.count(values)
        if self._settled == self.size:
            settle(self._submission, self._layer, self._sha256.hexdigest(), self._unusable)
        if self._unusable.found:
            raise LeftOutError


def settle(submission: Submission, layer: str, digest: str, unusable: NonFiniteCounter) -> None:
    """Record the digest of a whole tensor, and leave its participant out if it is unusable."""
    submission.digest = digest
    if unusable.found:
        submission.reject(FindingKind.NONFINITE, f"{unusable} in {layer}", layer, **unusable.facts)
