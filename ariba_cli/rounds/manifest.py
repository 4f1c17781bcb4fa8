"""The seal of a round: a list of its files with their sizes and hashes."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ariba_cli.base.errors import RefusedFileError
from ariba_cli.base.paths import is_within
from ariba_cli.files.atomic import FileDigest
from ariba_cli.files.strict_json import parse_object

NAME = "manifest.json"
LAYOUT = 1
Kind = Literal["weights", "difference"]


@dataclass(frozen=True)
class Manifest:
    """The statements of a round about itself.

    Attributes
    ----------
    round : int
        The number t of the round.
    kind : str
        The kind of update: `weights`, or the `difference` to the global model.
    layers : tuple of str
        The names of the model's tensors, in model order.
    files : mapping of str to FileDigest
        Every other file of the round, by its path relative to the round.
    """

    round: int
    kind: Kind
    layers: tuple[str, ...]
    files: Mapping[str, FileDigest]

    def encode(self) -> bytes:
        """Return the bytes of `manifest.json`."""
        content = {
            "layout": LAYOUT,
            "round": self.round,
            "kind": self.kind,
            "layers": self.layers,
            "files": [
                {"path": path, "bytes": file.bytes, "sha256": file.sha256}
                for path, file in sorted(self.files.items())
            ],
        }
        return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode("ascii")


def decode(data: bytes) -> Manifest:
    """Read the bytes of a `manifest.json`.

    Raises
    ------
    RefusedFileError
        When they are not strict JSON, or are not in the form that `Manifest.encode` writes.
    """
    content = parse_object(data, "content")
    try:
        if content["layout"] != LAYOUT:
            raise RefusedFileError(f"does not have layout {LAYOUT}, the only one that ariba knows")
        manifest = Manifest(
            round=content["round"],
            kind=content["kind"],
            layers=tuple(_list(content["layers"])),
            files={
                file["path"]: FileDigest(file["bytes"], file["sha256"])
                for file in _list(content["files"])
            },
        )
    except (KeyError, TypeError) as error:
        raise RefusedFileError(f"is not a manifest ({type(error).__name__})") from error
    if len(manifest.files) < len(content["files"]):
        raise RefusedFileError("lists a file twice")
    _check(manifest)
    return manifest


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(value)
    return value


def _check(manifest: Manifest) -> None:
    sound = (
        type(manifest.round) is int
        and manifest.kind in get_args(Kind)
        and all(isinstance(name, str) for name in manifest.layers)
        and all(isinstance(path, str) for path in manifest.files)
        and all(
            type(file.bytes) is int and isinstance(file.sha256, str)
            for file in manifest.files.values()
        )
    )
    if not sound:
        raise RefusedFileError("is not a manifest (a field has the wrong type)")
    for path, file in manifest.files.items():
        if not is_within(path):
            raise RefusedFileError(f"lists {path[:80]!r}, which is not a path within the round")
        if not re.fullmatch(r"[0-9a-f]{64}", file.sha256):
            raise RefusedFileError(f"lists {path[:80]!r} without a valid sha256")
