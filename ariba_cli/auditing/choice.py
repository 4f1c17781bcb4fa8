"""Which layers of a round are examined, and how each of them is cut."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ariba_cli.base.errors import UsageError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.rounds.layers import (
    Layer,
    find_layer,
    is_pattern,
    matching_layers,
    named_layer,
)
from ariba_cli.updates.fragments import (
    FragmentLayout,
    TooWideError,
    UnfitLayerError,
    cut_layer,
    default_fragment,
    is_convolution,
)

ALL = "all"


@dataclass(frozen=True)
class ChosenLayer:
    """One layer to examine: kernel, filter, row or block:D, and how that cuts it."""

    layer: Layer
    fragment: str
    cut: FragmentLayout


@dataclass(frozen=True)
class Choice:
    """The layers to examine.

    Attributes
    ----------
    how : `middle` by default, else `named`, by a `pattern`, or `all`, whatever takes most.
    layers : each once, in model order; at least one.
    findings : what was meant too, and cannot be examined.
    """

    how: str
    layers: tuple[ChosenLayer, ...]
    findings: tuple[Finding, ...] = ()


def choose_layers(
    layers: Sequence[Layer], asked: Sequence[str], fragment: str | None, *, where: str
) -> Choice:
    """Find the layers that are asked for.

    A layer that is asked for by its name must fit the fragment. Of those that a pattern or
    `all` means, only those that hold weights and fit it are taken. A name that is in
    the round goes before what it would mean as a pattern.

    Parameters
    ----------
    layers : of the round, in model order.
    asked : names, patterns with `*`, `?` or `[…]`, or `all`; none for the convolution in the
        middle.
    fragment : how they are to be cut; None for the default of each.
    where : how to list the layers, for error messages.

    Raises
    ------
    UsageError
        When one of them means nothing that can be scored.
    """
    if not asked:
        return Choice("middle", (_chosen(_middle_layer(layers), fragment),))
    named = [one for one in asked if named_layer(layers, one) or not _means_several(one)]
    chosen = {}
    for name in named:
        layer = find_layer(layers, name, where=where)
        chosen[layer.name] = _chosen(layer, fragment)
    findings: dict[Finding, None] = {}
    several = [one for one in asked if one not in named]
    for text in several:
        fitting, too_wide = _fitting(layers, text, fragment, where)
        chosen |= {one.layer.name: one for one in fitting}
        findings |= dict.fromkeys(too_wide)
    in_order = tuple(chosen[layer.name] for layer in layers if layer.name in chosen)
    how = ALL if ALL in several else "pattern" if several else "named"
    return Choice(how, in_order, tuple(findings))


def _means_several(text: str) -> bool:
    return text == ALL or is_pattern(text)


def _middle_layer(layers: Sequence[Layer]) -> Layer:
    """Of L convolutions, the one at index ⌊L/2⌋: Fig. 7d finds the middle to do best."""
    convolutions = [
        layer for layer in layers if layer.can_be_scored and is_convolution(layer.shape)
    ]
    if not convolutions:
        some = ", ".join(layer.name for layer in layers[:5])
        raise UsageError(f"no layer is a convolution; name one with --layer (as {some})")
    return convolutions[len(convolutions) // 2]


def _fitting(
    layers: Iterable[Layer], text: str, fragment: str | None, where: str
) -> tuple[list[ChosenLayer], list[Finding]]:
    """What is meant and fits the fragment; what is too wide for one is said.

    Biases and the like, and what a fragment that was asked for does not fit, are only
    missing from the coverage.
    """
    meant = list(layers) if text == ALL else matching_layers(layers, text)
    fitting: list[ChosenLayer] = []
    too_wide: list[Finding] = []
    reasons: list[tuple[int, str]] = []
    for layer in meant:
        if not layer.can_be_scored:
            continue
        try:
            fitting.append(_chosen(layer, fragment))
        except UnfitLayerError as error:
            reasons.append((layer.spec.values, str(error)))
            if isinstance(error, TooWideError):
                too_wide.append(Finding(FindingKind.LAYER_LEFT_OUT, str(error)))
    if not fitting:
        why = f"; {max(reasons)[1]}" if reasons else ""
        raise UsageError(f"no layer that can be scored matches '{text}'{why} ({where} lists them)")
    return fitting, too_wide


def _chosen(layer: Layer, fragment: str | None) -> ChosenLayer:
    kind = fragment or default_fragment(layer.shape)
    return ChosenLayer(layer, kind, cut_layer(layer.name, layer.shape, kind))
