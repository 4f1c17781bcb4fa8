"""`run.json`: how a run was made, with everything that is needed to repeat it."""

import json
import math
import platform
from dataclasses import asdict, fields
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


def encode_run(settings: FederationSettings, accuracy: list[float]) -> bytes:
    """The bytes of `run.json`; `accuracy` is that after each round."""
    content = {
        "layout": _LAYOUT,
        "settings": asdict(settings),
        "partition": "iid",
        "model": "cnn",
        "aggregation": "fedavg",
        "versions": _versions(),
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
        settings: dict[str, Any] = json.loads(read_small(path, Limits()))["settings"]
        training = LocalTraining(**settings.pop("training"))
        found = FederationSettings(**settings, training=training)
        _check(found, FederationSettings())
        _check(found.training, FederationSettings().training)
        return found
    except RefusedFileError as error:
        raise InputError(
            f"'{path}' {error}; an attack retrains participants, so it needs the {RUN_NAME} that "
            "ariba simulate writes beside its rounds"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"'{path}' is not what ariba simulate writes") from error


def _check(found: object, default: object) -> None:
    """Refuse values of another type than the defaults, and numbers that are not positive."""
    for field in fields(default):  # type: ignore[arg-type]
        value = getattr(found, field.name)
        if type(value) is not type(getattr(default, field.name)):
            raise TypeError(field.name)
        if isinstance(value, int | float) and field.name != "seed" and not 0 < value < math.inf:
            raise ValueError(field.name)


def _versions() -> dict[str, str]:
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
