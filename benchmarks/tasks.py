"""The task of a contestant, and the place of the bytes that it has to read."""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

_LENGTH_BYTES = 8


class Range(NamedTuple):
    """A range of bytes in a file."""

    path: Path
    start: int
    length: int


@dataclass(frozen=True)
class Task:
    """The task of ranking the participants of a round by one layer or several.

    Attributes
    ----------
    root : str
        The directory of the round.
    layers : tuple of str
        The tensor names, as they are in the files.
    k_est : int
        k_est.
    device : str
        The device of our engine; see `ariba_cli.scoring.devices`.
    detectors : tuple of str
        The detectors whose scores are found; the first decides.
    whole : bool
        True if our engine chooses the layers, and takes all; `layers` are then those that are read.
    """

    root: str
    layers: tuple[str, ...]
    k_est: int
    device: str = "auto"
    detectors: tuple[str, ...] = ("mahalanobis",)
    whole: bool = False

    def __str__(self) -> str:
        """Return the amount to be read, in words."""
        return f"{self.bytes / 1e6:,.0f} MB"

    @cached_property
    def files(self) -> list[Path]:
        """Return one file per participant, in id order."""
        return sorted((Path(self.root) / "participants").iterdir())

    @cached_property
    def ranges(self) -> list[Range]:
        """Return the places of the layers in all files, layer by layer."""
        headers = {path: _header(path) for path in self.files}
        return [
            _range(path, *header, layer)
            for layer in self.layers
            for path, header in headers.items()
        ]

    @property
    def bytes(self) -> int:
        """Return the number of bytes of the layers in all files together."""
        return sum(one.length for one in self.ranges)


def _header(path: Path) -> tuple[int, dict[str, Any]]:
    """Return the start of the tensors in a safetensors file, and its header."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        return _LENGTH_BYTES + length, json.loads(os.pread(stream.fileno(), length, _LENGTH_BYTES))


def _range(path: Path, base: int, header: dict[str, Any], layer: str) -> Range:
    start, stop = header[layer]["data_offsets"]
    return Range(path, base + start, stop - start)
