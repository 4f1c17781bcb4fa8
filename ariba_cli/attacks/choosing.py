"""The choice of the compromised, and the check of an attack's settings."""

import math
from collections.abc import Sequence

import numpy as np

from ariba_cli.attacks.backdoor import check_class
from ariba_cli.attacks.settings import AttackSettings
from ariba_cli.attacks.strategies import ANOMALIES
from ariba_cli.base.errors import UsageError
from ariba_cli.base.registry import registered
from ariba_cli.federated.datasets import Dataset
from ariba_cli.federated.randomness import derived_seed


def choose_compromised(ids: Sequence[str], settings: AttackSettings) -> tuple[str, ...]:
    """Return the ids of the compromised, in order.

    Raises
    ------
    UsageError
        When they are not participants, or none or all of them.
    """
    named = settings.compromised
    unknown = sorted(set(named) - set(ids))
    if unknown:
        raise UsageError(
            f"unknown participant '{unknown[0]}'; the participants are {ids[0]} to {ids[-1]}"
        )
    if named and settings.k is not None:
        raise UsageError("--k draws participants and --compromised names them; give one of them")
    k = len(set(named)) or settings.k
    if k is None:
        k = math.ceil(len(ids) / 10)
    if not 1 <= k < len(ids):
        raise UsageError(
            f"{k} of {len(ids)} participants cannot be compromised; choose 1 to {len(ids) - 1}"
        )
    if named:
        return tuple(name for name in ids if name in named)
    draw = np.random.default_rng(derived_seed(settings.seed, "compromised")).permutation(len(ids))
    return tuple(ids[index] for index in sorted(draw[:k]))


def check_settings(settings: AttackSettings, dataset: Dataset) -> None:
    """Refuse numbers and names that make no sense.

    Raises
    ------
    UsageError
        Says which setting is wrong, and what it must be.
    """
    for label in (settings.target_class, settings.source_class):
        if label is not None:
            check_class(label, dataset)
    registered(ANOMALIES, settings.anomaly, kind="anomaly term")
    if settings.source_class == settings.target_class:
        raise UsageError("--source-class and --target-class are the same; give two classes")
    if not 0 <= settings.rho < 1:
        raise UsageError(f"rho must be at least 0 and less than 1, not {settings.rho:g}")
    if settings.sigma is not None and not 0 <= settings.sigma < math.inf:
        raise UsageError(f"sigma must be a number of at least 0, not {settings.sigma:g}")
