"""The part of an audit's table that is another for several layers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ariba_cli.base.visible import visible
from ariba_cli.reports.bars import bar_header, bar_width, room_for_bar, share_bar, standing
from ariba_cli.reports.narrow import is_narrow, narrow_ranking
from ariba_cli.reports.text import Paper, plain_table, sentence
from ariba_cli.reports.words import expected_share
from ariba_cli.verdicts.verdict import LayerResult, Ranked, Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

# What the other columns take beside the participant, the bar and the layers: rank, share,
# and all gaps; and the words at the end.
_ALWAYS = 19
_SUSPECT = len("suspect")
_COMPROMISED = len("suspect, compromised")


def several_layers(verdict: Verdict, paper: Paper) -> "list[RenderableType]":
    """The layers, and the ranking by mean share with the shares of each layer."""
    summary = (
        f"{len(verdict.layers)} layers, each scored by itself; share is the mean of theirs; "
        f"k_est {verdict.method.k_est}"
    )
    narrow = is_narrow(paper)
    layers = _highest_shares(verdict) if narrow else _layers(verdict)
    parts: list[RenderableType] = [sentence(summary), "", layers, ""]
    if verdict.ranking:
        ranking = narrow_ranking if narrow else _ranking
        parts += [ranking(verdict, paper), ""]
    return parts


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
    for number, layer in enumerate(verdict.layers, 1):
        table.add_row(
            str(number),
            sentence(visible(layer.layer)),
            layer.fragment,
            str(layer.participants),
            f"{layer.fragments:,}",
            f"{layer.dimension:,}",
            "–" if layer.covariance_rank is None else f"{layer.covariance_rank:,}",
            _highest_of_layer(verdict, layer),
        )
    return table


def _highest_shares(verdict: Verdict) -> "Table":
    """The layers, where there is no room for more of them."""
    table = plain_table(("layer", "left"), ("highest share", "left"))
    for layer in verdict.layers:
        table.add_row(sentence(visible(layer.layer)), _highest_of_layer(verdict, layer))
    return table


def _highest_of_layer(verdict: Verdict, layer: LayerResult) -> "Text":
    """The highest share, and whose it is: of several, who is first in the ranking."""
    if not layer.marked:
        return sentence("ranks nobody", style="yellow")
    ranked = max(
        (one for one in verdict.ranking if layer.layer in one.shares),
        key=lambda one: one.shares[layer.layer],
    )
    return sentence(f"{ranked.shares[layer.layer]:.3f} {visible(ranked.id)}")


def _ranking(verdict: Verdict, paper: Paper) -> "Table":
    """A row a participant, with its share in each layer if there is room, else the highest."""
    from rich.text import Text

    layers = {number: one for number, one in enumerate(verdict.layers, 1) if one.marked}
    line = expected_share(verdict)
    bar = bar_header(line, paper)
    beside = _ALWAYS + (_SUSPECT if verdict.evaluation is None else _COMPROMISED)
    shares = {one.id: _shares(one, layers) for one in verdict.ranking}
    header = " ".join(f"{number:>4}" for number in layers)
    room = room_for_bar(verdict, paper, beside + len(header))
    if room < len(bar):
        header = "highest in"
        shares = {one.id: _highest_of_participant(one) for one in verdict.ranking}
        widest = max(map(len, (header, *shares.values())))
        room = room_for_bar(verdict, paper, beside + widest)
    table = plain_table(
        ("rank", "right"),
        ("participant", "left"),
        ("share", "right"),
        (bar, "left"),
        (header, "left"),
        ("", "left"),
    )
    for one in verdict.ranking:
        cells = share_bar(one.share, line, bar_width(room), ascii_only=paper.ascii_only)
        table.add_row(
            str(one.rank),
            sentence(visible(one.id)),
            f"{one.share:.3f}",
            Text(cells, no_wrap=True),
            sentence(shares[one.id]),
            Text(standing(one, verdict)),
            style="bold red" if one.suspect else "",
        )
    return table


def _shares(ranked: Ranked, layers: Mapping[int, LayerResult]) -> str:
    """The share in each layer, below its number; a dash where there is none."""
    own = (ranked.shares.get(layer.layer) for layer in layers.values())
    return " ".join("   -" if share is None else f"{share:4.2f}" for share in own)


def _highest_of_participant(ranked: Ranked) -> str:
    """The highest share, and its layer by the shorter name that `--layer` takes."""
    layer = max(ranked.shares, key=lambda name: ranked.shares[name])
    return f"{ranked.shares[layer]:.3f} {visible(layer.removesuffix('.weight'))}"
