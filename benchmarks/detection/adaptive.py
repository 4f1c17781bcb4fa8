"""Attackers who know the panel, and change an update so that a sign misses it.

Each is given the updates of the honest, too, which is more than an attacker has.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Update = dict[str, Float64]


@dataclass(frozen=True)
class Known:
    """The knowledge of the attacker.

    Attributes
    ----------
    model : dict of str to float64 array
        The global model, θ^t, without the statistics of batch normalisation.
    honest : sequence of Update
        The updates of the honest.
    output : str
        The name of the output layer; its tensors are `output.weight` and `output.bias`.
    """

    model: Mapping[str, Float64]
    honest: Sequence[Update]
    output: str


def changed(update: Update, known: Known, tricks: Sequence[str]) -> Update:
    """Return an update after the tricks, scaled to the median length of the honest ones."""
    found = {name: values.copy() for name, values in update.items()}
    for trick in tricks:
        TRICKS[trick](found, known)
    wanted = float(np.median([_length(one) for one in known.honest]))
    length = _length(found)
    return {name: values * (wanted / length) for name, values in found.items()} if length else found


def along(update: Update, known: Known) -> None:
    """Give each matrix the cosine with the global model's that the honest have.

    With δ = a·θ/‖θ‖ + r and r ⊥ θ, a becomes h·‖r‖ / √(1 − h²), for their median cosine h.
    """
    for name, start in known.model.items():
        length = float(np.linalg.norm(start))
        if start.ndim < 2 or length == 0:
            continue
        unit = start / length
        usual = float(np.median([_cosine(one[name], unit) for one in known.honest]))
        rest = update[name] - float((update[name] * unit).sum()) * unit
        share = usual * float(np.linalg.norm(rest)) / np.sqrt(max(1 - usual**2, 1e-12))
        update[name] = rest + share * unit


def sums(update: Update, known: Known) -> None:
    """Subtract from the output layer its mean over the classes, as cross-entropy leaves none."""
    for name in (f"{known.output}.weight", f"{known.output}.bias"):
        update[name] -= update[name].mean(axis=0, keepdims=True)


def bias(update: Update, known: Known) -> None:
    """Scale the output bias so that corrections agree in their sign as the honest ones do."""
    usual = float(np.median([_agreement(one, known.output) for one in known.honest]))
    own = _agreement(update, known.output)
    if own > 0:
        update[f"{known.output}.bias"] *= usual / own


# By the names that `Attack.tricks` has; they are done in the order in which it names them.
TRICKS: dict[str, Callable[[Update, Known], None]] = {"along": along, "sums": sums, "bias": bias}


def _agreement(update: Update, output: str) -> float:
    """Return the root mean square over the classes c of |Δb_c| / ‖ΔW_c‖."""
    rows = np.linalg.norm(update[f"{output}.weight"], axis=1)
    ratios: npt.NDArray[Any] = np.abs(update[f"{output}.bias"]) / np.maximum(rows, 1e-12)
    return float(np.sqrt(np.square(ratios).mean()))


def _cosine(values: Float64, unit: Float64) -> float:
    length = float(np.linalg.norm(values))
    return float((values * unit).sum()) / length if length else 0.0


def _length(update: Update) -> float:
    return float(np.sqrt(sum(float(np.square(values).sum()) for values in update.values())))
