"""The layer of a model that tells classes apart, as far as shapes and names show it."""

from collections.abc import Sequence
from typing import NamedTuple

from ariba_cli.rounds.layers import Layer

# What frameworks call a weight, and its bias: PyTorch, Flax and Keras, Keras in its own files.
_PAIRS = ((".weight", ".bias"), ("kernel", "bias"), ("kernel:0", "bias:0"), ("vars/0", "vars/1"))


class OutputNames(NamedTuple):
    """The names of the weight, with a row for each class, and of the bias."""

    weight: str
    bias: str


def output_names(layers: Sequence[Layer]) -> OutputNames | None:
    """Find the output layer: a weight matrix with a bias whose outputs no other layer takes.

    If there are several, it takes the last in model order, and also if none is left over, such as
    in a network whose width equals the number of its classes.

    Parameters
    ----------
    layers : sequence of Layer
        The examined layers, in model order.
    """
    shapes = {layer.name: layer.shape for layer in layers}
    inputs = {shape[1] for shape in shapes.values() if len(shape) >= 2}
    found = [
        OutputNames(name, bias)
        for name, shape in shapes.items()
        for weight_suffix, bias_suffix in _PAIRS
        if len(shape) == 2
        and name.endswith(weight_suffix)
        and shapes.get(bias := name.removesuffix(weight_suffix) + bias_suffix) == (shape[0],)
    ]
    last = [names for names in found if shapes[names.weight][0] not in inputs]
    if not found:
        return None
    return (last or found)[-1]
