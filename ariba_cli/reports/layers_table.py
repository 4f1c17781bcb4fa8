"""The part of an audit's table about the examined layers."""

from typing import TYPE_CHECKING

from ariba_cli.base.visible import visible
from ariba_cli.reports.text import Paper, is_narrow, plain_table, sentence
from ariba_cli.reports.words import marks_fragments, value_name
from ariba_cli.verdicts.verdict import MarkedLayer, Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text


def layers_part(verdict: Verdict, paper: Paper) -> "list[RenderableType]":
    """Return the layers of the detector that decides: one in words, several as a table."""
    k_est = verdict.method.k_est
    if not marks_fragments(verdict):
        counts = "" if verdict.decision.k_est is None else f"; k_est {k_est}"
        names = "1 layer" if len(verdict.layers) == 1 else f"{len(verdict.layers):,} layers"
        which = f" {visible(verdict.layers[0].layer)}" if len(verdict.layers) == 1 else ""
        return [
            sentence(
                f"{verdict.decision.detector} over {names}{which}; score: "
                f"{value_name(verdict)}{counts}"
            ),
            "",
        ]
    layers = verdict.marked_layers
    if not layers:
        return []
    if len(layers) == 1:
        return [sentence(_layer_in_words(verdict, layers[0])), ""]
    summary = (
        f"{len(layers)} layers, each scored by itself; share is the mean of theirs; k_est {k_est}"
    )
    table = _highest_shares(verdict) if is_narrow(paper) else _layers(verdict)
    return [sentence(summary), "", table, ""]


def _layer_in_words(verdict: Verdict, layer: MarkedLayer) -> str:
    left_out = f", {layer.left_out} values left out" if layer.left_out else ""
    return (
        f"{visible(layer.layer)} by {layer.fragment}: {layer.participants} participants "
        f"with {layer.fragments:,} fragments of {layer.dimension} values{left_out}; "
        f"k_est {verdict.method.k_est}; {_detector_in_words(verdict, layer)}"
    )


def _detector_in_words(verdict: Verdict, layer: MarkedLayer) -> str:
    if layer.covariance_rank is not None:
        return f"rank {layer.covariance_rank} of {layer.dimension}"
    fitted = verdict.deciding.parameters.get("fit_sample")
    on = f" fitted on {fitted:,} fragments" if isinstance(fitted, int) else ""
    return verdict.decision.detector + on


def _layers(verdict: Verdict) -> "Table":
    table = plain_table(
        ("", "right"),
        ("layer", "left"),
        ("fragment", "left"),
        ("n", "right"),
        ("m", "right"),
        ("d", "right"),
        ("rank", "right"),
        ("highest share", "left"),
    )
    for number, layer in enumerate(verdict.marked_layers, 1):
        table.add_row(
            str(number),
            sentence(visible(layer.layer)),
            layer.fragment,
            str(layer.participants),
            f"{layer.fragments:,}",
            f"{layer.dimension:,}",
            "-" if layer.covariance_rank is None else f"{layer.covariance_rank:,}",
            _highest(verdict, layer),
        )
    return table


def _highest_shares(verdict: Verdict) -> "Table":
    """Return the layers, where there is no room for more of them."""
    table = plain_table(("layer", "left"), ("highest share", "left"))
    for layer in verdict.marked_layers:
        table.add_row(sentence(visible(layer.layer)), _highest(verdict, layer))
    return table


def _highest(verdict: Verdict, layer: MarkedLayer) -> "Text":
    """Return the highest share and the participant that has it: of several, the first ranked."""
    if not layer.marked:
        return sentence("ranks nobody", style="yellow")
    scored = [one for one in verdict.deciding.scores if layer.layer in one.by_layer]
    first = max(scored, key=lambda one: one.by_layer[layer.layer])
    return sentence(f"{first.by_layer[layer.layer]:.3f} {visible(first.id)}")
