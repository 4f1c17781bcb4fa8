"""The layers of a round: the tensors on which most of its participants agree."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ariba_cli.base.errors import UsageError
from ariba_cli.base.suggestions import nearest
from ariba_cli.formats.model import Tensor
from ariba_cli.formats.tensors import TensorSpec
from ariba_cli.rounds.names import is_counter, plain_name, plain_names, statistics_among

_WEIGHT = ".weight"
_PATTERN = re.compile(r"[*?]|\[.+\]", re.DOTALL)

Catalog = Mapping[str, Tensor]


@dataclass(frozen=True)
class Layer:
    """One tensor of the model.

    Attributes
    ----------
    name : str
        Its name without the prefixes that frameworks add.
    stored_name : str
        Its name in most files.
    dtype : str
        The type in which most participants store it.
    shape : tuple of int
        The shape that most participants give it.
    is_weight : bool
        True if it is trained, and not measured by batch normalisation.
    """

    name: str
    stored_name: str
    dtype: str
    shape: tuple[int, ...]
    is_weight: bool = True

    @property
    def spec(self) -> TensorSpec:
        """Return its type and shape."""
        return TensorSpec(self.dtype, self.shape)

    @property
    def can_be_scored(self) -> bool:
        """Return whether it holds weights in a float type."""
        return self.is_weight and self.spec.is_float and self.spec.values > 0

    def name_in(self, catalog: Catalog) -> str | None:
        """Return its name in one participant's file; None if it is missing there, or ambiguous.

        The name that most files have comes first: it is the one that the server reads.
        """
        if self.stored_name in catalog:
            return self.stored_name
        plain = plain_name(self.name)
        found = [name for name in catalog if plain_name(name) == plain]
        return found[0] if len(found) == 1 else None


class _Votes:
    """The names, types and shapes that participants give to one layer."""

    def __init__(self) -> None:
        self.names: Counter[str] = Counter()
        self.specs: Counter[TensorSpec] = Counter()

    def layer(self, name: str) -> Layer:
        """Return the layer in its most frequent shape, and the most frequent type of that shape."""
        shapes: Counter[tuple[int, ...]] = Counter()
        for spec, count in self.specs.items():
            shapes[spec.shape] += count
        shape = min(shapes, key=lambda one: (-shapes[one], one))
        types = {spec.dtype: count for spec, count in self.specs.items() if spec.shape == shape}
        dtype = min(types, key=lambda one: (-types[one], one))
        stored_name = min(self.names, key=lambda one: (-self.names[one], one))
        return Layer(name, stored_name, dtype, shape)


def agreed_layers(catalogs: Iterable[Catalog], model_order: Sequence[str]) -> list[Layer]:
    """Return the layers that more than half of the participants have, in model order.

    Parameters
    ----------
    catalogs : iterable of catalogs
        The tensors of each participant.
    model_order : sequence of str
        The names in the order of the model. Layers that are not in it come after those that
        are, in natural order.
    """
    held = list(catalogs)
    shared = {id(catalog): catalog for catalog in held}
    votes: dict[str, _Votes] = {}
    for identity, count in Counter(map(id, held)).items():
        catalog = shared[identity]
        for name, stored_name in plain_names(catalog).items():
            if not is_counter(name):
                vote = votes.setdefault(name, _Votes())
                vote.names[stored_name] += count
                vote.specs[catalog[stored_name].spec] += count
    names = [name for name, vote in votes.items() if 2 * vote.names.total() > len(held)]
    position = {plain_name(name): index for index, name in enumerate(model_order)}
    names.sort(key=lambda name: (position.get(plain_name(name), len(position)), natural(name)))
    layers = [votes[name].layer(name) for name in names]
    statistics = statistics_among({layer.name: layer.shape for layer in layers})
    return [replace(layer, is_weight=layer.name not in statistics) for layer in layers]


def named_layer(layers: Iterable[Layer], name: str) -> Layer | None:
    """Return the layer of that name; None if there is none.

    `layer3.0.conv1` also means `module.layer3.0.conv1.weight`.
    """
    by_name = {layer.name: layer for layer in layers}
    plain = plain_name(name)
    candidates = (name, name + _WEIGHT, plain, plain + _WEIGHT)
    return next((by_name[one] for one in candidates if one in by_name), None)


def find_layer(layers: Sequence[Layer], name: str, *, where: str) -> Layer:
    """Return the layer of that name, which is to be examined; see `named_layer`.

    Parameters
    ----------
    layers : sequence of Layer
        The layers of the model.
    name : str
        The name.
    where : str
        The advice in the error message on how to list the layers.

    Raises
    ------
    UsageError
        When there is none, with the nearest name, or when it holds no weights.
    """
    layer = named_layer(layers, name)
    if layer is not None:
        return _weight(layer)
    stems = [one.name.removesuffix(_WEIGHT) for one in layers]
    near = nearest(name, [*(one.name for one in layers), *stems])
    hint = "" if near is None else f"; did you mean '{near.removesuffix(_WEIGHT)}'?"
    raise UsageError(f"most updates have no layer '{name}'{hint} ({where} lists the layers)")


def is_pattern(text: str) -> bool:
    """Return whether a text is one that several names may match: it has `*`, `?` or `[…]`.

    >>> is_pattern("layer?.*.conv1"), is_pattern("layer3.0.conv1")
    (True, False)
    """
    return _PATTERN.search(text) is not None


def matching_layers(layers: Iterable[Layer], pattern: str) -> list[Layer]:
    """Return the layers whose whole name, with or without `.weight`, a pattern matches."""
    patterns = {pattern, plain_name(pattern)}
    return [
        layer
        for layer in layers
        if any(
            fnmatchcase(name, one)
            for name in (layer.name, layer.name.removesuffix(_WEIGHT))
            for one in patterns
        )
    ]


def _weight(layer: Layer) -> Layer:
    if not layer.is_weight:
        raise UsageError(f"'{layer.name}' is a statistic of batch normalisation, not a weight")
    return layer


def natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts layer10 after layer9."""
    return [(int(part) if part.isdecimal() else -1, part) for part in _parts(name)]


def _parts(name: str) -> Iterable[str]:
    return re.split(r"(\d+)", name, flags=re.ASCII)
