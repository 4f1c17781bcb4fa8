"""The layers of a round: what most of its participants agree on."""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ariba_cli.errors import UsageError
from ariba_cli.rounds.tensors import TensorSpec

_WEIGHT = ".weight"

Vote = TypeVar("Vote", str, tuple[int, ...])


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

    @property
    def bytes(self) -> int:
        """How many bytes it takes."""
        return TensorSpec(self.dtype, self.shape, 0).bytes

    @property
    def can_be_scored(self) -> bool:
        """Whether it holds numbers that are no integers."""
        spec = TensorSpec(self.dtype, self.shape, 0)
        return spec.is_float and spec.values > 0


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
    found: dict[str, list[TensorSpec]] = {}
    for catalog in catalogs:
        for name, spec in catalog.items():
            found.setdefault(name, []).append(spec)
    position = {name: index for index, name in enumerate(model_order)}
    names = [name for name, specs in found.items() if 2 * len(specs) > len(catalogs)]
    names.sort(key=lambda name: (position.get(name, len(position)), _natural(name)))
    return [_agreed(name, found[name]) for name in names]


def _agreed(name: str, specs: Sequence[TensorSpec]) -> Layer:
    """The shape that most give it, in the type in which most of those store it."""
    shape = _most_common(spec.shape for spec in specs)
    return Layer(name, _most_common(spec.dtype for spec in specs if spec.shape == shape), shape)


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
    raise UsageError(f"no layer '{name}' is in most of the updates{hint} ({where} lists them)")


def _most_common(votes: Iterable[Vote]) -> Vote:
    """The most frequent; of equally frequent ones the least, and not the first."""
    counts = Counter(votes)
    return min(counts, key=lambda vote: (-counts[vote], vote))


def _natural(name: str) -> list[tuple[int, str]]:
    """A sort key that puts layer10 after layer9."""
    return [(int(part) if part.isdecimal() else -1, part) for part in _parts(name)]


def _parts(name: str) -> Iterable[str]:
    return re.split(r"(\d+)", name, flags=re.ASCII)
