"""The situation of a compromised participant, in a few numbers."""

from dataclasses import replace
from typing import Any

import numpy as np

from ariba_cli.attacks.strategies import Held, HonestUpdates, Situation

START = {"w": np.array([1.0, 2.0], np.float32), "bn.running_var": np.array([1.0], np.float32)}
# Its norm is 5.
HONEST = {"w": np.array([4.0, 6.0], np.float32), "bn.running_var": np.array([2.0], np.float32)}
NOTHING = Held(
    np.zeros((0, 1, 8, 8), np.float32), np.zeros(0, np.int64), np.zeros((0, 1, 8, 8), np.float32)
)


def situation(**changes: Any) -> Situation:
    honest = HonestUpdates(START, {"p0": HONEST})
    made = Situation(
        honest=honest,
        compromised=1,
        sigma_i=10.0,
        seed=1,
        held=NOTHING,
        target_class=0,
        logits=lambda _, images: np.zeros((len(images), 2), np.float32),
        gradient=lambda _, __: {name: np.zeros_like(one) for name, one in START.items()},
    )
    return replace(made, **changes)
