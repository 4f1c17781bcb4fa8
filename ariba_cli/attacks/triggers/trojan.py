"""A pattern that makes chosen units of a network fire (TrojanNN, Liu et al., NDSS 2018).

The paper changes the network for which the pattern was made. Here the pattern has to be known
before the federation trains: it is made for a network that the attacker trains alone, from the
model that the server sends out first.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

from ariba_cli.attacks.triggers.pattern import square
from ariba_cli.attacks.triggers.trigger import Aim, Trigger, of_other_classes
from ariba_cli.base.errors import UsageError
from ariba_cli.base.one_thread import one_thread
from ariba_cli.federated.datasets import Dataset, FloatArray, LabelArray
from ariba_cli.federated.federation import Surrogate
from ariba_cli.federated.models import load_weights

if TYPE_CHECKING:
    import torch

# So many units fire, each as strongly as this, after at most so many steps of this length.
UNITS = 2
ACTIVATION = 100.0
_STEPS = 1000
_STEP = 0.01


class Trojan(Trigger):
    """A trigger that is a pattern in any image, where `pattern` has its bright square."""

    needs_surrogate = True

    def poison(self, _: Dataset, images: FloatArray, labels: LabelArray, aim: Aim) -> FloatArray:
        """Return copies of the participant's own images with the pattern."""
        return with_pattern(of_other_classes(images, labels, aim), aim)

    def test(self, dataset: Dataset, aim: Aim) -> FloatArray:
        """Return copies of the test images with the pattern."""
        return with_pattern(of_other_classes(dataset.test_images, dataset.test_labels, aim), aim)


def with_pattern(images: FloatArray, aim: Aim) -> FloatArray:
    """Return copies of the images with the pattern that fits the surrogate of an aim."""
    triggered = images.copy()
    if len(images) == 0:
        return triggered
    assert aim.surrogate is not None
    triggered[..., *square(images)] = made_for(aim.surrogate)[..., *square(images)]
    return triggered


@lru_cache(maxsize=4)
def made_for(surrogate: Surrogate) -> FloatArray:
    """Return an image of shape (channels, height, width) that is dark outside the pattern.

    Each step is by the sign of the gradient of Σ (activation − `ACTIVATION`)² over the units, and
    values stay in [0, 1].

    Raises
    ------
    UsageError
        When the network does not end in a linear layer.
    """
    import torch

    network = surrogate.architecture.build().eval()
    load_weights(network, surrogate.weights)
    heard: list[torch.Tensor] = []
    with one_thread():
        layer = _last_linear(network, surrogate.architecture.name)
        layer.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0]))
        units = torch.topk(layer.weight.abs().sum(dim=0), UNITS).indices
        image = torch.zeros(1, *surrogate.architecture.images)
        region = (..., *square(image.numpy()))
        image[region] = 0.5
        for _ in range(_STEPS):
            image.requires_grad_()
            network(image)
            activations = heard.pop()[..., units]
            heard.clear()
            loss = (activations - ACTIVATION).square().sum()
            (gradient,) = torch.autograd.grad(loss, [image])
            image = image.detach()
            moved = (image - _STEP * gradient.sign()).clamp(0, 1)[region]
            if torch.equal(moved, image[region]):
                break
            image[region] = moved
    found: FloatArray = image[0].numpy()
    return found


def _last_linear(network: "torch.nn.Module", name: str) -> "torch.nn.Linear":
    from torch import nn

    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise UsageError(
            f"the trigger trojan needs a network that ends in a linear layer, and {name} does not"
        )
    return linear[-1]
