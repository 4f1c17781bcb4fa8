"""`run.json`: how a run was made, with everything that is needed to repeat it."""

import json
import math
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ariba_cli.errors import InputError, RefusedFileError
from ariba_cli.federated.federation import FederationSettings
from ariba_cli.federated.training import LocalTraining
from ariba_cli.rounds.contents import RUN_NAME
from ariba_cli.rounds.limits import Limits
from ariba_cli.rounds.opening import read_small

_LAYOUT = 1


@dataclass(frozen=True)
class Run:
    """What a `run.json` says: how the run was made, and the accuracy after each round."""

    settings: FederationSettings
    accuracy: tuple[float, ...]
    versions: dict[str, str]


def encode_run(settings: FederationSettings, accuracy: Sequence[float]) -> bytes:
    """The bytes of `run.json`; `accuracy` is that after each round."""
    content = {
        "layout": _LAYOUT,
        "settings": asdict(settings),
        "partition": "iid",
        "model": "cnn",
        "aggregation": "fedavg",
        "versions": library_versions(),
        "accuracy": [round(value, 6) for value in accuracy],
    }
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode("ascii")


def read_run(round_path: Path) -> FederationSettings:
    """The settings of the run that a round belongs to.

    Raises
    ------
    InputError
        When there is no sound `run.json` beside the round.
    """
    path = round_path.resolve().parent / RUN_NAME
    try:
        return read_run_file(path).settings
    except RefusedFileError as error:
        raise InputError(
            f"'{path}' {error}; an attack retrains participants, so it needs the {RUN_NAME} that "
            "ariba simulate writes beside its rounds"
        ) from error


def read_run_file(path: Path) -> Run:
    """What a `run.json` says.

    Raises
    ------
    RefusedFileError
        When it cannot be read.
    InputError
        When it is not sound.
    """
    data = read_small(path, Limits())
    try:
        content: dict[str, Any] = json.loads(data)
        settings = decode_settings(content["settings"])
        return Run(settings, decode_accuracy(content["accuracy"]), dict(content["versions"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"'{path}' is not what ariba simulate writes") from error


def decode_settings(content: dict[str, Any]) -> FederationSettings:
    """Settings as `asdict` gave them.

    Raises
    ------
    ValueError, KeyError, TypeError, AttributeError
        When they are not.
    """
    training = LocalTraining(**content.pop("training"))
    settings = FederationSettings(**content, training=training)
    _check(settings, FederationSettings())
    _check(settings.training, FederationSettings().training)
    return settings


def decode_accuracy(content: object) -> tuple[float, ...]:
    """Accuracies, each in [0, 1].

    Raises
    ------
    ValueError
        When they are not.
    """
    if not isinstance(content, list):
        raise ValueError(content)
    if not all(type(value) is float and 0 <= value <= 1 for value in content):
        raise ValueError(content)
    return tuple(content)


def library_versions() -> dict[str, str]:
    """What a run's numbers depend on, and which of it is at work here."""
    import safetensors
    import sklearn
    import torch

    import ariba_cli

    return {
        "ariba": ariba_cli.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "safetensors": safetensors.__version__,
        "scikit-learn": sklearn.__version__,
        "torch": torch.__version__,
    }


def _check(found: object, default: object) -> None:
    """Refuse values of another type than the defaults, and numbers that are not positive."""
    for field in fields(default):  # type: ignore[arg-type]
        value = getattr(found, field.name)
        if type(value) is not type(getattr(default, field.name)):
            raise TypeError(field.name)
        if isinstance(value, int | float) and field.name != "seed" and not 0 < value < math.inf:
            raise ValueError(field.name)
