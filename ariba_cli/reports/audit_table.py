"""A verdict → the table that a reviewer reads on a terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ariba_cli.base.visible import visible
from ariba_cli.reports.bars import bar_header, bar_width, room_for_bar, share_bar, standing
from ariba_cli.reports.explanation import explanation
from ariba_cli.reports.layers_table import several_layers
from ariba_cli.reports.narrow import is_narrow, narrow_ranking
from ariba_cli.reports.text import Paper, finding_lines, plain_table, render, sentence
from ariba_cli.reports.words import (
    coverage_in_words,
    evaluation_in_words,
    expected_share,
    machines_in_words,
    seal_in_words,
    stability_in_words,
    suspects_in_words,
)
from ariba_cli.verdicts.verdict import LayerResult, Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

# What the other columns take: rank, score, share, suspect, compromised, and their gaps.
_BESIDE_BAR = 46


def audit_table(
    verdict: Verdict,
    paper: Paper,
    *,
    heading: str | None = None,
    explained: Sequence[str] = (),
) -> str:
    """The ranking with a bar of each share, and in words what it means.

    Parameters
    ----------
    heading : which of several rounds it is; None when there is only one.
    explained : whose most distant fragments are shown.
    """
    parts: list[RenderableType] = []
    if heading is not None:
        parts += [sentence(f"Round {visible(heading)}", style="bold underline"), ""]
    if len(verdict.layers) > 1:
        parts += several_layers(verdict, paper)
    else:
        parts += [sentence(_layer_in_words(verdict, verdict.layers[0])), ""]
        if verdict.ranking:
            ranking = narrow_ranking if is_narrow(paper) else _ranking
            parts += [ranking(verdict, paper), ""]
    for identifier in explained:
        parts += explanation(verdict, identifier, paper)
    parts.append(sentence(suspects_in_words(verdict), style="bold"))
    if verdict.stability is not None:
        words = " ".join(stability_in_words(verdict, verdict.stability))
        parts.append(sentence(f"Stability: {words}"))
    if verdict.evaluation is not None:
        parts.append(sentence(evaluation_in_words(verdict.evaluation)))
    parts += finding_lines(verdict.findings)
    if not verdict.method.same_on_every_machine:
        parts.append(sentence(machines_in_words(verdict)))
    if verdict.method.seal_verified:
        parts.append(sentence(seal_in_words(verdict)))
    parts.append(sentence(f"Coverage: {coverage_in_words(verdict)}."))
    return render(parts, paper)


def _layer_in_words(verdict: Verdict, layer: LayerResult) -> str:
    left_out = f", {layer.left_out} values left out" if layer.left_out else ""
    return (
        f"{visible(layer.layer)} by {layer.fragment}: {layer.participants} participants "
        f"with {layer.fragments:,} fragments of {layer.dimension} values{left_out}; "
        f"k_est {verdict.method.k_est}; {_detector_in_words(verdict, layer)}"
    )


def _detector_in_words(verdict: Verdict, layer: LayerResult) -> str:
    if layer.covariance_rank is not None:
        return f"rank {layer.covariance_rank} of {layer.dimension}"
    fitted = verdict.method.detector_parameters["fit_sample"]
    return f"{verdict.method.detector} fitted on {fitted:,} fragments"


def _ranking(verdict: Verdict, paper: Paper) -> "Table":
    from rich.text import Text

    line = expected_share(verdict)
    width = bar_width(room_for_bar(verdict, paper, _BESIDE_BAR))
    table = plain_table(
        ("rank", "right"),
        ("participant", "left"),
        ("score", "right"),
        ("share", "right"),
        (bar_header(line, paper), "left"),
        ("", "left"),
    )
    for ranked in verdict.ranking:
        table.add_row(
            str(ranked.rank),
            Text(visible(ranked.id), overflow="fold"),
            f"{ranked.score:,}",
            f"{ranked.share:.3f}",
            Text(share_bar(ranked.share, line, width, ascii_only=paper.ascii_only), no_wrap=True),
            Text(standing(ranked, verdict)),
            style="bold red" if ranked.suspect else "",
        )
    return table
