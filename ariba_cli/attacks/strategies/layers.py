"""Layer-wise poisoning: only the layers that carry the backdoor, in an honest update."""

import numpy as np

from ariba_cli.attacks.strategies.declaration import Declaration, Need, Stage
from ariba_cli.attacks.strategies.strategy import Situation, Strategy
from ariba_cli.base.declared import Argument
from ariba_cli.base.errors import UsageError
from ariba_cli.federated.models import Architecture, Weights
from ariba_cli.federated.quality import agreement


class CriticalLayers(Strategy):
    """A strategy that ranks layers by the loss of backdoor accuracy when each is made honest."""

    declaration = Declaration(
        name="critical-layers",
        stage=Stage.TRAINED,
        summary="an honest update in which only the layers that the backdoor needs are replaced",
        equation="θ_l poisoned for the layers of largest loss of success, until success ≥ τ·all",
        source="Zhuang et al., Backdoor FL by poisoning backdoor-critical layers, 2024",
        purpose="a backdoor in few layers, the others bit for bit honest",
        needs=frozenset({Need.TWIN}),
        arguments={
            "tau": Argument(
                "τ, the share of the full backdoor's success to reach", default=0.95, most=1.0
            )
        },
    )

    def check_fits(self, architecture: Architecture, participants: int, compromised: int) -> None:
        """Refuse a network of one layer, of which nothing could be left honest."""
        del participants, compromised
        if len(layers_of(architecture.shapes())) < 2:
            raise UsageError("critical-layers needs a network of two layers or more")

    def sent(self, situation: Situation, weights: Weights) -> Weights:
        """Return the honest update with the layers that the backdoor needs."""
        honest = situation.twin
        assert honest is not None
        if len(situation.held.triggered) == 0:
            return honest

        def success(model: Weights) -> float:
            said = situation.logits(model, situation.held.triggered)
            return agreement(said, np.full(len(said), situation.target_class))

        layers = layers_of({name: values.shape for name, values in weights.items()})
        left = {layer: success(mixed(weights, honest, names)) for layer, names in layers.items()}
        wanted = self.number("tau") * success(weights)
        made = honest
        for layer in sorted(layers, key=lambda one: (left[one], list(layers).index(one))):
            if success(made) >= wanted:
                break
            made = mixed(made, weights, layers[layer])
        return made


def layers_of(shapes: dict[str, tuple[int, ...]]) -> dict[str, list[str]]:
    """Return the tensors of each layer, in model order: its weights, bias and statistics."""
    layers: dict[str, list[str]] = {}
    for name in shapes:
        layers.setdefault(name.rpartition(".")[0], []).append(name)
    return layers


def mixed(one: Weights, other: Weights, names: list[str]) -> Weights:
    """Return a model with some tensors of another."""
    return {name: other[name] if name in names else values for name, values in one.items()}
