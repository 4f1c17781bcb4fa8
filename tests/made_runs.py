"""Small runs, made by hand: what is sent is random, and attackers all add the same to it."""

from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import numpy.typing as npt

import ariba_cli as ariba
from tests.models import random_model

Away = Callable[[str, int], bool]
IDS = tuple(f"p{index:02d}" for index in range(14))
ATTACKERS = ("p04", "p09")
FIRST = 3


def write_run(
    root: Path,
    rounds: int = 6,
    *,
    attackers: Collection[str] = ATTACKERS,
    begins: int = FIRST,
    away: Away = lambda _name, _number: False,
) -> Path:
    """Write a run of 14 participants, attacked from the round `begins` on."""
    for number in range(1, rounds + 1):
        write_round(root, number, attackers if number >= begins else (), away)
    return root


def write_round(
    root: Path,
    number: int,
    attackers: Collection[str] = (),
    away: Away = lambda _name, _number: False,
) -> Path:
    """Write one round of it."""
    root.mkdir(exist_ok=True)
    draw = np.random.default_rng(number)
    start, aim = random_model(1000), random_model(1001)
    sent = {}
    for name in IDS:
        change = {key: _noise(draw, values) for key, values in start.items()}
        if name in attackers:
            change = {key: own + 0.05 * aim[key] for key, own in change.items()}
        if not away(name, number):
            sent[name] = {key: start[key] + own for key, own in change.items()}
    path = root / f"round_{number:04d}"
    ariba.save_round(path, sent, global_model=start, number=number)
    return path


def _noise(draw: np.random.Generator, like: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return (0.02 * draw.standard_normal(like.shape)).astype(np.float32)
