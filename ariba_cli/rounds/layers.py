"""The layers of a round: what most of its participants agree on."""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ariba_cli.errors import UsageError
from ariba_cli.rounds.tensors import TensorSpec

_WEIGHT = ".weight"


@dataclass(frozen=True)
class Layer:
    """One tensor of the model.

    Attributes
    ----------
    name : its name in the files.
    dtype : the type that most participants store it in.
    shape : the shape that most participants give it.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


def agreed_layers(
    catalogs: Sequence[Mapping[str, TensorSpec]], model_order: Sequence[str]
) -> list[Layer]:
    """The layers that more than half of the participants have, in model order.

    Parameters
    ----------
    catalogs : the tensors of each participant, in id order.
    model_order : the names in the order of the model; those that are not in it come
        after those that are, in natural order.
    """
    votes: dict[str, Counter[tuple[str, tuple[int, ...]]]] = {}
    for catalog in catalogs:
        for name, spec in catalog.items():
            votes.setdefault(name, Counter())[spec.dtype, spec.shape] += 1
    position = {name: index for index, name in enumerate(model_order)}
    names = [name for name, vote in votes.items() if vote.total() * 2 > len(catalogs)]
    names.sort(key=lambda name: (position.get(name, len(position)), _natural(name)))
    return [Layer(name, *_most_common(votes[name])) for name in names]


def find_layer(layers: Sequence[Layer], name: str, *, where: str) -> Layer:
    """The layer of that name; `layer3.0.conv1` also means `layer3.0.conv1.weight`.

    Raises
    ------
    UsageError
        When there is none, with the nearest name; `where` tells how to list them.
    """
    by_name = {layer.name: layer for layer in layers}
    for candidate in (name, name + _WEIGHT):
        if candidate in by_name:
            return by_name[candidate]
    stems = [layer.name.removesuffix(_WEIGHT) for layer in layers]
    near = difflib.get_close_matches(name, [*by_name, *stems], n=1)
    hint = f"; did you mean '{near[0].removesuffix(_WEIGHT)}'?" if near else ""
    raise UsageError(f"layer '{name}' is in none of the updates{hint} ({where} lists them)")


def _most_common(vote: Counter[tuple[str, tuple[int, ...]]]) -> tuple[str, tuple[int, ...]]:
    """The most frequent; of equally frequent ones the first by value, not by file order."""
    return min(vote, key=lambda kind: (-vote[kind], kind))


def _natural(name: str) -> list[tuple[int, str]]:
    """A sort key that puts layer10 after layer9."""
    return [(int(part) if part.isdecimal() else -1, part) for part in _parts(name)]


def _parts(name: str) -> Iterable[str]:
    return re.split(r"(\d+)", name, flags=re.ASCII)
