"""The checkpoint of a run: all that is needed to go on after its last finished round.

`checkpoint.json` holds the finished rounds; the weights from which the next round starts
are beside it. The weights are written first and the old ones removed last, so that the
JSON always names weights that are there.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ariba_cli.base.errors import InputError, RefusedFileError
from ariba_cli.federated.federation import Federation
from ariba_cli.federated.models import Weights
from ariba_cli.files.atomic import write_atomically
from ariba_cli.files.hashing import file_sha256
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import read_small
from ariba_cli.files.partial import sync_directory
from ariba_cli.formats import ENCODERS, open_model
from ariba_cli.formats.model import ReadOptions
from ariba_cli.formats.tensors import TensorSpec
from ariba_cli.rounds.contents import BASE_NAME
from ariba_cli.runs.base_model import base_sha256
from ariba_cli.runs.plan import Keep, Plan
from ariba_cli.runs.run_file import (
    Point,
    decode_attack,
    decode_curve,
    decode_settings,
    encode_curve,
    versions,
)

NAME = "checkpoint.json"
WEIGHTS = r"checkpoint_[0-9]{4,}\.safetensors"

# What to do about a checkpoint, or rounds, that a run cannot go on with.
REMOVE = "remove the directory to start again"

_LAYOUT = 5
_FORMAT = "safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """The state of an unfinished run.

    Attributes
    ----------
    plan : Plan
        The plan of the run.
    curve : tuple of Point
        A point for each finished round.
    weights : Weights
        The weights from which the next round starts.
    """

    plan: Plan
    curve: tuple[Point, ...]
    weights: Weights

    @property
    def finished(self) -> int:
        """Return the number of finished rounds."""
        return len(self.curve)


def save(directory: Path, checkpoint: Checkpoint, federation: Federation) -> None:
    """Write a checkpoint of a federation in the place of the one before.

    Raises
    ------
    OutputError
        When it cannot be written; then the one before is still there.
    """
    weights = ENCODERS[_FORMAT].encode(checkpoint.weights)
    name = _weights_name(checkpoint.finished)
    write_atomically(directory / name, [weights])
    sync_directory(directory)
    write_atomically(directory / NAME, [_encode(checkpoint, weights, federation)])
    sync_directory(directory)
    _remove_weights(directory, all_but=name)


def load(directory: Path, plan: Plan, federation: Federation) -> Checkpoint:
    """Return the checkpoint of a run that is to go on by `plan`.

    Raises
    ------
    UsageError
        When the run was begun with another plan.
    InputError
        When the checkpoint is not sound, or the libraries or the data are not those of the run.
    """
    path = directory / NAME
    try:
        content: dict[str, Any] = json.loads(read_small(path, Limits()))
        begun, curve = _decode(content)
        plan.check_same(begun, str(directory))
        check_same_ground(directory, content["versions"], content["fingerprint"], federation)
        if content["base_sha256"] != base_sha256(federation):
            raise RefusedFileError(f"belongs to another {BASE_NAME} than the one beside it")
        path = directory / _weights_name(len(curve))
        shapes = federation.architecture.shapes()
        return Checkpoint(plan, curve, _read_weights(path, content["sha256"], shapes))
    except RefusedFileError as error:
        raise InputError(f"'{path}' {error}; {REMOVE}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"'{path}' was not written by ariba simulate; {REMOVE}") from error


def discard(directory: Path) -> None:
    """Remove the checkpoint: there is nothing left to train."""
    (directory / NAME).unlink(missing_ok=True)
    sync_directory(directory)
    _remove_weights(directory)


def check_same_ground(
    directory: Path, begun: dict[str, str], fingerprint: str, federation: Federation
) -> None:
    """Refuse to go on with other libraries or data than `run.json` would name for the whole run.

    Raises
    ------
    InputError
        Names the first difference.
    """
    for name, version in versions(federation).items():
        if begun.get(name) != version:
            raise InputError(
                f"'{directory}' was begun with {name} {begun.get(name)}, and {version} is "
                f"installed; install the former, or {REMOVE}"
            )
    if fingerprint != federation.dataset.fingerprint:
        raise InputError(
            f"'{directory}' was begun with other images or labels of "
            f"{federation.settings.dataset}; name their folder with --data-dir, or {REMOVE}"
        )


def _weights_name(finished: int) -> str:
    return f"checkpoint_{finished:04d}.safetensors"


def _remove_weights(directory: Path, *, all_but: str | None = None) -> None:
    for path in list(directory.iterdir()):
        if re.fullmatch(WEIGHTS, path.name) and path.name != all_but:
            path.unlink()


def _encode(checkpoint: Checkpoint, weights: bytes, federation: Federation) -> bytes:
    plan = checkpoint.plan
    content = {
        "layout": _LAYOUT,
        "finished": checkpoint.finished,
        "curve": encode_curve(checkpoint.curve),
        "settings": asdict(plan.settings),
        "attack": None if plan.attack is None else asdict(plan.attack),
        "keep_every": plan.keep.every,
        "format": plan.format_name,
        "versions": versions(federation),
        "fingerprint": federation.dataset.fingerprint,
        "base_sha256": base_sha256(federation),
        "sha256": hashlib.sha256(weights).hexdigest(),
    }
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode("ascii")


def _decode(content: dict[str, Any]) -> tuple[Plan, tuple[Point, ...]]:
    """Return the plan and the curve; raise many of Python's errors when they are not sound."""
    settings = decode_settings(content["settings"])
    every, curve = content["keep_every"], decode_curve(content["curve"])
    sound = (
        content["layout"] == _LAYOUT
        and (every is None or (type(every) is int and every > 0))
        and content["format"] in ENCODERS
        and len(curve) == content["finished"] <= settings.rounds
    )
    if not sound:
        raise ValueError
    plan = Plan(
        settings=settings,
        attack=decode_attack(content["attack"]),
        keep=Keep(every),
        format_name=content["format"],
    )
    return plan, curve


def _read_weights(path: Path, sha256: str, shapes: dict[str, tuple[int, ...]]) -> Weights:
    """Return the weights in model order, which the file does not keep."""
    model = open_model(path, ReadOptions())
    found = {name: tensor.spec for name, tensor in model.tensors.items()}
    wanted = {name: TensorSpec("F32", shape) for name, shape in shapes.items()}
    if model.format != _FORMAT or found != wanted:
        raise RefusedFileError("does not hold the model of the run")
    with model.reading() as reading:
        if file_sha256(reading.file(0)) != sha256:
            raise RefusedFileError(f"is not the file that {NAME} names: its sha256 differs")
    weights = {name: values.astype(np.float32) for name, values in model.floats()}
    return {name: weights[name] for name in shapes}
