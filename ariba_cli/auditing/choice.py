"""The choice of the layers of a round to examine, and of the cut of each."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ariba_cli.base.errors import UsageError
from ariba_cli.base.findings import Finding, FindingKind
from ariba_cli.detectors.declaration import Scope
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
    default_fragment,
    is_convolution,
    layout_of,
)

ALL = "all"


@dataclass(frozen=True)
class ChosenLayer:
    """A layer to examine.

    Attributes
    ----------
    layer : Layer
        The layer itself.
    fragment : str
        kernel, filter, row or block:D.
    cut : FragmentLayout, optional
        The cut by that fragment; None where the layer is not cut, and seen as a whole alone.
    """

    layer: Layer
    fragment: str
    cut: FragmentLayout | None


@dataclass(frozen=True)
class Choice:
    """The layers to examine.

    Attributes
    ----------
    how : str
        The kind of choice: `all`, by a `pattern`, or `named`, whichever is the most general.
    layers : tuple of ChosenLayer
        The layers, each once, in model order; at least one.
    findings : tuple of Finding
        The layers that were asked for too, and cannot be examined.
    """

    how: str
    layers: tuple[ChosenLayer, ...]
    findings: tuple[Finding, ...] = ()


def choose_layers(
    layers: Sequence[Layer],
    asked: Sequence[str],
    fragment: str | None,
    *,
    scopes: Collection[Scope],
    where: str,
) -> Choice:
    """Find the layers that are asked for.

    A layer that is asked for by its name must fit the fragment. A pattern or `all` takes only
    layers that hold weights, and where only fragments are scored, only those that fit
    the fragment. A name that is in the round takes precedence over the same text as a
    pattern.

    Parameters
    ----------
    layers : sequence of Layer
        The layers of the round, in model order.
    asked : sequence of str
        Names, patterns with `*`, `?` or `[…]`, or `all`; none for all.
    fragment : str, optional
        The fragment into which they are cut; None for the default of each.
    scopes : collection of Scope
        The scopes of the detectors: fragments, whole updates, or both.
    where : str
        The command that lists the layers, for error messages.

    Raises
    ------
    UsageError
        When one of them means nothing that can be scored.
    """
    asked = asked or (ALL,)
    named = [one for one in asked if named_layer(layers, one) or not _means_several(one)]
    chosen = {}
    for name in named:
        layer = find_layer(layers, name, where=where)
        chosen[layer.name] = _chosen(layer, fragment, scopes)
    findings: dict[Finding, None] = {}
    several = [one for one in asked if one not in named]
    for text in several:
        fitting, too_wide = _fitting(layers, text, fragment, scopes, where)
        chosen |= {one.layer.name: one for one in fitting}
        findings |= dict.fromkeys(too_wide)
    in_order = tuple(chosen[layer.name] for layer in layers if layer.name in chosen)
    few = (found for one in in_order if (found := _few_fragments(one)) is not None)
    how = ALL if ALL in several else "pattern" if several else "named"
    return Choice(how, in_order, (*findings, *few))


def _few_fragments(chosen: ChosenLayer) -> Finding | None:
    """Return the finding that a convolution has fewer kernels than values in each, if it has.

    Most often its axes lie in another order than assumed.
    """
    shape = chosen.layer.shape
    if not is_convolution(shape) or chosen.fragment not in ("", "kernel"):
        return None
    kernels, values = math.prod(shape[:2]), math.prod(shape[2:])
    if kernels >= values:
        return None
    return Finding(
        FindingKind.FEW_FRAGMENTS,
        f"{chosen.layer.name} is read as {kernels:,} kernels of {values:,} values each, which are "
        "too few to tell much; if its channels come last, say so with --layout",
        layer=chosen.layer.name,
        facts={"fragments": kernels, "dimension": values},
    )


def _means_several(text: str) -> bool:
    return text == ALL or is_pattern(text)


def _fitting(
    layers: Iterable[Layer],
    text: str,
    fragment: str | None,
    scopes: Collection[Scope],
    where: str,
) -> tuple[list[ChosenLayer], list[Finding]]:
    """Return the meant layers that can be examined, and findings of those too wide for a fragment.

    Biases and the like, and layers that the given fragment does not fit, are only missing from
    the coverage where detectors take nothing but fragments.
    """
    meant = list(layers) if text == ALL else matching_layers(layers, text)
    fitting: list[ChosenLayer] = []
    too_wide: list[Finding] = []
    reasons: list[tuple[int, str]] = []
    for layer in meant:
        if not layer.can_be_scored:
            continue
        try:
            fitting.append(_chosen(layer, fragment, scopes))
        except UnfitLayerError as error:
            reasons.append((layer.spec.values, str(error)))
            if isinstance(error, TooWideError):
                too_wide.append(Finding(FindingKind.LAYER_LEFT_OUT, str(error), layer=layer.name))
            if Scope.UPDATE in scopes:
                fitting.append(ChosenLayer(layer, "", None))
    if not fitting:
        why = f"; {max(reasons)[1]}" if reasons else ""
        raise UsageError(f"no layer that can be scored matches '{text}'{why} ({where} lists them)")
    return fitting, too_wide


def _chosen(layer: Layer, fragment: str | None, scopes: Collection[Scope]) -> ChosenLayer:
    if Scope.LAYER not in scopes:
        return ChosenLayer(layer, "", None)
    kind = fragment or default_fragment(layer.shape)
    return ChosenLayer(layer, kind, layout_of(layer.name, layer.shape, kind))
