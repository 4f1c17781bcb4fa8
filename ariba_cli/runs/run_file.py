"""`run.json`: the record of a run, with everything that is needed to repeat it."""

import json
import math
import os
import platform
import types
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from ariba_cli.aggregation.rules import make_rule
from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.base.errors import InputError, RefusedFileError, UsageError
from ariba_cli.base.parameters import Parameter
from ariba_cli.federated.datasets import DATASETS
from ariba_cli.federated.federation import Federation, FederationSettings, Place
from ariba_cli.federated.models import MODELS
from ariba_cli.federated.partitions import parse_partition
from ariba_cli.files.limits import Limits
from ariba_cli.files.opening import read_small
from ariba_cli.rounds.contents import BASE_NAME, RUN_NAME
from ariba_cli.runs.base_model import base_sha256, read_base

LAYOUT = 6

# Those before are read as if they had said what they did not know: 2 knew neither momentum nor
# weight decay nor adapters, 3 no arguments of strategies, 4 no rule but FedAvg, under which
# everybody answered, and 5 no auditor that is attacked.
_LAYOUTS_BEFORE = (2, 3, 4, 5)

_WITHOUT = {"momentum": 0.0, "weight_decay": 0.0}
_ALL_ANSWER: dict[str, Any] = {
    "rule": "fedavg",
    "rule_arguments": {},
    "sampled": None,
    "failing": 0.0,
}

# More than any data set has, and a float is exact up to it.
_EXACT = 2**53

# Numbers of settings that may be 0.
_MAY_BE_ZERO = frozenset(
    {
        "seed",
        "target_class",
        "source_class",
        "sigma",
        "rho",
        "momentum",
        "weight_decay",
        "failing",
        "least_backdoor",
    }
)


@dataclass(frozen=True)
class Point:
    """The quality of the global model after a round.

    Attributes
    ----------
    accuracy : float
        The accuracy on the test set, in [0, 1].
    loss : float, optional
        The mean cross-entropy there, in nats; None when it is not finite, or not known.
    backdoor_accuracy : float, optional
        X'%, in [0, 1]; None in a run without an attack.
    """

    accuracy: float
    loss: float | None
    backdoor_accuracy: float | None


@dataclass(frozen=True)
class Run:
    """The contents of a `run.json`.

    Attributes
    ----------
    folder : Path
        The folder of the file.
    settings : FederationSettings
        The settings of the federation.
    base_sha256 : str, optional
        The hash of the file of the pre-trained network; None where there is none.
    attack : AttackSettings, optional
        The settings of the attack; None when all participants were honest.
    fingerprint : str
        The fingerprint of the data set.
    holdings : dict of str to tuple of int
        The number of samples of each class that every participant held, by id.
    versions : dict of str to str
        The versions of libraries, and the name of the engine.
    curve : tuple of Point
        A point for every round.
    """

    folder: Path
    settings: FederationSettings
    base_sha256: str | None
    attack: AttackSettings | None
    fingerprint: str
    holdings: dict[str, tuple[int, ...]]
    versions: dict[str, str]
    curve: tuple[Point, ...]

    @property
    def samples(self) -> dict[str, int]:
        """Return the number of samples that every participant held, by id."""
        return {name: sum(counts) for name, counts in self.holdings.items()}

    def federation(self, place: Place | None = None) -> Federation:
        """Return the federation of the run, with the pre-trained network that lies beside it.

        Raises
        ------
        InputError
            When that network should be there, and is missing or is another.
        """
        stored = self.folder / BASE_NAME
        base = None if self.base_sha256 is None else read_base(stored, self.base_sha256)
        return Federation(self.settings, place, base=base)

    def check_data(self, federation: Federation) -> None:
        """Refuse other data than those of the run.

        Raises
        ------
        InputError
            When the arrays of the data set differ.
        """
        if federation.dataset.fingerprint != self.fingerprint:
            raise InputError(
                f"the images or labels of {self.settings.dataset} differ from those of the run; "
                "name the folder of its data set with --data-dir"
            )


def encode_run(
    federation: Federation, attack: AttackSettings | None, curve: Sequence[Point]
) -> bytes:
    """Return the bytes of `run.json`."""
    holdings = federation.holdings
    content = {
        "layout": LAYOUT,
        "settings": asdict(federation.settings),
        "attack": None if attack is None else asdict(attack),
        "base_sha256": base_sha256(federation),
        "fingerprint": federation.dataset.fingerprint,
        "versions": versions(federation),
        "curve": encode_curve(curve),
        "participants": {name: {"samples_by_class": counts} for name, counts in holdings.items()},
    }
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode("ascii")


def path_beside(round_path: Path) -> Path:
    """Return the path of the `run.json` of a round's run, which need not exist."""
    return round_path.resolve().parent / RUN_NAME


def nearest_path(model_path: Path) -> Path:
    """Return the `run.json` in the nearest of the folders above a model.

    Raises
    ------
    InputError
        When there is none, or no model.
    """
    if not os.path.exists(model_path):
        raise InputError(f"'{model_path}' does not exist; name a model")
    for folder in Path(os.path.realpath(model_path)).parents:
        if os.path.lexists(folder / RUN_NAME):
            return folder / RUN_NAME
    raise InputError(
        f"the folders above '{model_path}' hold no {RUN_NAME}; name that of its run with --run"
    )


def read_run(round_path: Path) -> Run:
    """Return the run that a round belongs to.

    Raises
    ------
    InputError
        When there is no sound `run.json` beside the round.
    """
    return read_run_at(path_beside(round_path), to_know="the data and the model")


def read_run_at(path: Path, *, to_know: str) -> Run:
    """Return the run of a `run.json` that a command needs `to_know` something.

    Raises
    ------
    InputError
        When it is not there, or not sound.
    """
    try:
        return read_run_file(path)
    except RefusedFileError as error:
        raise InputError(
            f"'{path}' {error}; it is needed for {to_know}, and ariba simulate writes it beside "
            "its rounds"
        ) from error


def read_run_file(path: Path) -> Run:
    """Return the run of a `run.json`.

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
        if content["layout"] in _LAYOUTS_BEFORE:
            content = _brought_up(content)
        elif content["layout"] != LAYOUT:
            raise InputError(
                f"'{path}' has layout {content['layout']!r}, but this version of ariba reads "
                f"{LAYOUT}; use the version that wrote it"
            )
        return _decode_run(content, path.parent)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"'{path}' was not written by ariba simulate") from error


def decode_settings(content: dict[str, Any]) -> FederationSettings:
    """Return the settings that `asdict` encoded.

    Raises
    ------
    ValueError, KeyError, TypeError, AttributeError
        When the content is something else.
    """
    settings: FederationSettings = _decoded(FederationSettings, content)
    if settings.dataset not in DATASETS or settings.model not in MODELS:
        raise ValueError(content)
    try:
        parse_partition(settings.partition)
        make_rule(settings.rule, settings.rule_arguments)
    except UsageError as error:
        raise ValueError(content) from error
    return settings


def decode_attack(content: dict[str, Any] | None) -> AttackSettings | None:
    """Return the attack that `asdict` encoded, or None; raise the errors of `decode_settings`."""
    attack: AttackSettings | None = None
    if content is not None:
        attack = _decoded(AttackSettings, content)
    return attack


def encode_curve(curve: Sequence[Point]) -> dict[str, list[float | None]]:
    """Return a list per quantity, of numbers with 6 digits after the point."""
    return {
        field.name: [
            value if value is None else round(value, 6)
            for value in (getattr(point, field.name) for point in curve)
        ]
        for field in fields(Point)
    }


def decode_curve(content: dict[str, Any]) -> tuple[Point, ...]:
    """Return the curve that `encode_curve` encoded; raise the errors of `decode_settings`."""
    columns = [content[field.name] for field in fields(Point)]
    if not all(isinstance(column, list) for column in columns):
        raise TypeError(content)
    curve = tuple(Point(*values) for values in zip(*columns, strict=True))
    for point in curve:
        shares = [point.accuracy]
        shares += [] if point.backdoor_accuracy is None else [point.backdoor_accuracy]
        if not all(type(share) is float and 0 <= share <= 1 for share in shares):
            raise ValueError(point)
        if point.loss is not None and not (type(point.loss) is float and point.loss < math.inf):
            raise ValueError(point)
    return curve


def versions(federation: Federation) -> dict[str, str]:
    """Return the versions of all that a run's numbers depend on."""
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
        "engine": federation.engine.name,
    }


def _brought_up(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of an earlier layout in this layout."""
    settings, attack = content["settings"], content["attack"]
    if content["layout"] == 2:
        settings = settings | {"training": _WITHOUT | settings["training"], "lora": None}
        attack = attack and attack | {"training": _WITHOUT | attack["training"]}
        content = content | {"base_sha256": None}
    if content["layout"] <= 3:
        attack = attack and attack | {"arguments": {}}
    if content["layout"] <= 4:
        settings = _ALL_ANSWER | settings
    attack = attack and attack | {"against": None, "tries": 20, "least_backdoor": 0.8}
    return content | {"settings": settings, "attack": attack}


def _decode_run(content: dict[str, Any], folder: Path) -> Run:
    holdings = {}
    for name, held in content["participants"].items():
        counts = held["samples_by_class"]
        if not all(type(count) is int and 0 <= count < _EXACT for count in counts):
            raise ValueError(counts)
        holdings[name] = tuple(counts)
    if not isinstance(content["fingerprint"], str):
        raise TypeError(content["fingerprint"])
    settings, base_sha256 = decode_settings(content["settings"]), content["base_sha256"]
    if not isinstance(base_sha256, str if settings.lora else type(None)):
        raise TypeError(base_sha256)
    return Run(
        folder=folder,
        settings=settings,
        base_sha256=base_sha256,
        attack=decode_attack(content["attack"]),
        fingerprint=content["fingerprint"],
        holdings=holdings,
        versions=dict(content["versions"]),
        curve=decode_curve(content["curve"]),
    )


def _decoded(kind: Any, content: dict[str, Any]) -> Any:
    """Return a dataclass of settings, every field of which must be there and of its type."""
    hints = get_type_hints(kind)
    if set(content) != set(hints):
        raise KeyError(set(content) ^ set(hints))
    return kind(**{name: _value(name, hint, content[name]) for name, hint in hints.items()})


def _value(name: str, hint: Any, value: Any) -> Any:
    if is_dataclass(hint):
        return _decoded(hint, value)
    if get_origin(hint) in (Union, types.UnionType):
        (inner,) = (part for part in get_args(hint) if part is not type(None))
        return None if value is None else _value(name, inner, value)
    if get_origin(hint) is Mapping:
        return _arguments(value)
    if get_origin(hint) is tuple:
        if not (isinstance(value, list) and all(isinstance(entry, str) for entry in value)):
            raise TypeError(name)
        return tuple(value)
    if hint is float and type(value) is int and abs(value) < _EXACT:
        # To JSON, 50 and 50.0 are the same number.
        value = float(value)
    if type(value) is not hint:
        raise TypeError(name)
    if hint in (int, float):
        least = 0 if name in _MAY_BE_ZERO else math.ulp(0)
        if not least <= value < math.inf:
            raise ValueError(name)
    return value


def _arguments(value: Any) -> dict[str, Parameter]:
    """Return the arguments of strategies or of a rule; their use decides if they fit."""
    sound = isinstance(value, dict) and all(
        one is None or type(one) in (str, int, bool) or (type(one) is float and math.isfinite(one))
        for one in value.values()
    )
    if not sound:
        raise TypeError(value)
    return dict(value)
