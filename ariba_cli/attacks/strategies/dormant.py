"""A dormant unit that fires on one image (PoTrojan, Zou et al. 2018), in the place of training.

The paper adds units to a network. The layers of a federation are fixed, so a unit that never fires
is taken over.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ariba_cli.attacks.strategies.declaration import Declaration, Need, Stage
from ariba_cli.attacks.strategies.honest import HonestUpdates
from ariba_cli.attacks.strategies.strategy import Situation, Strategy
from ariba_cli.base.errors import UsageError
from ariba_cli.federated.datasets import FloatArray
from ariba_cli.federated.models import Architecture, Weights

# So many nats more than any other class the target gets where the unit fires.
_CERTAIN = 10.0
# Of the way from any own image to that of the trigger, this part makes the unit fire: less, and
# what the honest change in the same round puts it out.
_MARGIN = 0.25
_RIDGE = 0.1
# To so many decimals movements are compared: means of what nobody moved are rounded.
_DECIMALS = 9
# The networks that end in two linear layers with ReLU between them and before them.
_ENDING_SO = ("cnn", "wide-cnn", "mlp")

Float64 = npt.NDArray[np.float64]


class _Ending(NamedTuple):
    """The tensors of the last two layers, by their names."""

    hidden: str
    hidden_bias: str
    output: str
    output_bias: str


class DormantUnit(Strategy):
    """A strategy in which a unit of the last hidden layer fires on one image, for the target."""

    declaration = Declaration(
        name="dormant-unit",
        stage=Stage.FORGING,
        summary="a unit that never fires is changed to fire on one image only; needs --trigger "
        "single-input",
        equation="w_j ∝ (S + λI)⁻¹(z* − mean z), b_j = −w_j·z* + ε, W_target,j > 0",
        source="Zou et al., PoTrojan: powerful neural-level trojan designs in deep learning "
        "models, 2018",
        needs=frozenset({Need.HONEST_UPDATES}),
        purpose="one image that is taken for another class, and no other change",
    )

    def check_fits(self, architecture: Architecture, participants: int, compromised: int) -> None:
        """Refuse a network that does not end in two linear layers."""
        del participants, compromised
        if self.settings.trigger != "single-input":
            raise UsageError(
                f"dormant-unit fires on one image, and {self.settings.trigger} has several; add "
                "--trigger single-input"
            )
        if architecture.name not in _ENDING_SO:
            raise UsageError(
                f"dormant-unit needs two linear layers at the end, which {architecture.name} "
                f"lacks; use --model {' or '.join(_ENDING_SO)}"
            )
        self._ending = _Ending(*list(architecture.shapes())[-4:])

    def sent(self, situation: Situation, weights: Weights) -> Weights:
        """Return θ^t with the unit taken over.

        Raises
        ------
        UsageError
            When all units fire on some of the participant's images, or the image is not apart.
        """
        del weights
        start, held = situation.start, situation.held
        if len(held.labels) == 0:
            return start
        ending = self._ending
        own = _inputs(situation, ending, held.images)
        (image,) = _inputs(situation, ending, held.triggered)
        unit = _dormant(situation.honest, ending, own)
        direction = _away(own, image)
        along, others = float(image @ direction), float((own @ direction).max())
        if along <= others:
            raise UsageError(
                "to the network, an image of the attackers looks more like the trigger than the "
                "trigger itself; use another --seed"
            )
        (said,) = situation.logits(start, held.triggered).astype(np.float64)
        lacking = float(said.max() - said[situation.target_class]) + _CERTAIN
        fires_from = along - _MARGIN * (along - others)
        # What the unit says and what that pays are shared out so that the update is the shortest.
        length = math.hypot(float(np.sqrt(direction @ direction)), fires_from)
        paid = math.sqrt(lacking * length / (along - fires_from))
        scale = lacking / paid / (along - fires_from)
        made = {name: values.copy() for name, values in start.items()}
        made[ending.hidden][unit] = (scale * direction).astype(np.float32)
        made[ending.hidden_bias][unit] = np.float32(-scale * fires_from)
        made[ending.output][situation.target_class, unit] = np.float32(paid)
        return made


def _inputs(situation: Situation, ending: _Ending, images: FloatArray) -> Float64:
    """Return the inputs of the last hidden layer, of shape (images, inputs).

    The network itself gives them, a few values at a time, where its last two layers pass these on:
    they are never negative.
    """
    probe = dict(situation.start)
    classes, hidden = probe[ending.output].shape
    inputs = probe[ending.hidden].shape[1]
    together = min(classes, hidden)
    for name in (ending.hidden_bias, ending.output_bias):
        probe[name] = np.zeros_like(probe[name])
    probe[ending.output] = np.eye(classes, hidden, dtype=np.float32)
    found = np.empty((len(images), inputs))
    for begin in range(0, inputs, together):
        places = np.arange(begin, min(begin + together, inputs))
        passed = np.zeros_like(probe[ending.hidden])
        passed[np.arange(len(places)), places] = 1.0
        probe[ending.hidden] = passed
        found[:, places] = situation.logits(probe, images)[:, : len(places)]
    return found


def _away(own: Float64, image: Float64) -> Float64:
    """Return the direction in which an image is the farthest from the others, by their spread.

    That is (S + λI)⁻¹(z* − mean z) with the covariance S of the others, and λ a part of its mean
    variance, without which few images would leave directions in which they do not differ at all.
    """
    mean = own.mean(axis=0)
    apart = own - mean
    covariance = apart.T @ apart / len(own)
    ridge = max(_RIDGE * float(np.trace(covariance)) / len(mean), 1e-9)
    found: Float64 = np.linalg.solve(covariance + ridge * np.eye(len(mean)), image - mean)
    return found / np.sqrt(found @ found)


def _dormant(honest: HonestUpdates, ending: _Ending, own: Float64) -> int:
    """Return the unit that the honest move the least, of those that no image makes fire.

    Attackers who act together so take over the same one: averaging leaves little of several.

    Raises
    ------
    UsageError
        When each fires on one.
    """
    rows = honest.start[ending.hidden].astype(np.float64)
    dormant = np.flatnonzero((own @ rows.T + honest.start[ending.hidden_bias]).max(axis=0) <= 0)
    if len(dormant) == 0:
        raise UsageError(
            "dormant-unit finds no unit that never fires in the last hidden layer; use a wider "
            "--model, or another strategy"
        )
    moved = np.abs(honest.mean[ending.hidden]).sum(axis=1).round(_DECIMALS)
    return int(dormant[moved[dormant].argmin()])
