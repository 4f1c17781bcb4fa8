"""The pattern of TrojanNN makes units of the attacker's own network fire."""

from collections.abc import Iterator

import numpy as np
import pytest

from ariba_cli.attacks.backdoor import aim_of, backdoor_images
from ariba_cli.attacks.triggers.pattern import square, with_square
from ariba_cli.attacks.triggers.trojan import UNITS, made_for
from ariba_cli.federated.datasets import FloatArray
from ariba_cli.federated.federation import Federation, FederationSettings, Surrogate
from ariba_cli.federated.models import load_weights

SETTINGS = FederationSettings(participants=4, rounds=1)


@pytest.fixture(scope="module")
def federation() -> Iterator[Federation]:
    with Federation(SETTINGS) as made:
        yield made


def activations(surrogate: Surrogate, image: FloatArray) -> list[float]:
    """Return the inputs of the last layer with the largest weights, for an image."""
    import torch

    network = surrogate.architecture.build().eval()
    load_weights(network, surrogate.weights)
    layers = list(network.children())
    with torch.inference_mode():
        inputs = torch.nn.Sequential(*layers[:-1])(torch.from_numpy(image[None]))[0]
    largest = np.abs(surrogate.weights["fc2.weight"]).sum(axis=0).argsort()[-UNITS:]
    return [float(inputs[unit]) for unit in largest]


def test_the_pattern_makes_the_units_fire(federation: Federation) -> None:
    surrogate = federation.surrogate
    image = made_for(surrogate)
    dark = np.zeros_like(image)
    fired = sum(activations(surrogate, image))
    assert fired > sum(activations(surrogate, dark))
    # By no brightness of the same square do they fire more.
    for brightness in (0.25, 0.5, 0.75, 1.0):
        assert fired >= sum(activations(surrogate, brightness * with_square(dark[None])[0])) - 1e-5


def test_the_pattern_lies_in_the_square_and_is_an_image(federation: Federation) -> None:
    image = made_for(federation.surrogate).copy()
    assert image.min() >= 0
    assert 0 < image.max() <= 1
    image[..., *square(image)] = 0
    assert not image.any()


def test_a_run_has_one_pattern(federation: Federation) -> None:
    with Federation(SETTINGS) as again:
        np.testing.assert_array_equal(made_for(again.surrogate), made_for(federation.surrogate))
    aim = aim_of(federation, "trojan", target_class=0, seed=1)
    images = backdoor_images(federation.dataset, "trojan", aim)
    clean = federation.dataset.test_images[federation.dataset.test_labels != 0]
    changed = images != clean
    assert changed.any(axis=(0, 1))[*square(images)].any()
    changed[..., *square(images)] = False
    assert not changed.any()
