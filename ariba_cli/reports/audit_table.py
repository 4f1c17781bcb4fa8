"""A verdict → the table that a reviewer reads on a terminal."""

from typing import TYPE_CHECKING

from ariba_cli.reports.text import Paper, finding_lines, plain_table, render, sentence
from ariba_cli.reports.words import (
    coverage_in_words,
    machines_in_words,
    seal_in_words,
    suspects_in_words,
)
from ariba_cli.verdict import Evaluation, LayerResult, Ranked, Verdict
from ariba_cli.visible import visible

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_NARROWEST_BAR = 10
_WIDEST_BAR = 50
# What the other columns take: rank, score, share, suspect, compromised, and their gaps.
_BESIDE_BAR = 46


def audit_table(verdict: Verdict, paper: Paper) -> str:
    """The ranking with a bar of each share, and in words what it means."""
    parts: list[RenderableType] = [
        sentence(_layer_in_words(verdict, layer)) for layer in verdict.layers
    ]
    parts.append("")
    if verdict.ranking:
        parts += [_ranking(verdict, paper), ""]
    parts.append(sentence(suspects_in_words(verdict), style="bold"))
    if verdict.evaluation is not None:
        parts.append(sentence(_evaluation_in_words(verdict.evaluation)))
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
        f"{visible(layer.layer)} by {verdict.method.fragment}: {layer.participants} participants "
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

    line = verdict.method.k_est / verdict.layers[0].participants
    longest = max(len(visible(ranked.id)) for ranked in verdict.ranking)
    width = paper.width - _BESIDE_BAR - max(longest, len("participant"))
    width = min(max(width, _NARROWEST_BAR), _WIDEST_BAR)
    mark = "|" if paper.ascii_only else "│"
    table = plain_table(
        ("rank", "right"),
        ("participant", "left"),
        ("score", "right"),
        ("share", "right"),
        (f"{mark} {'k/n' if paper.ascii_only else 'k̃/n'} = {line:.3g}", "left"),
        ("", "left"),
    )
    compromised = frozenset(verdict.evaluation.compromised if verdict.evaluation else ())
    for ranked in verdict.ranking:
        table.add_row(
            str(ranked.rank),
            Text(visible(ranked.id), overflow="fold"),
            f"{ranked.score:,}",
            f"{ranked.share:.3f}",
            Text(share_bar(ranked.share, line, width, ascii_only=paper.ascii_only), no_wrap=True),
            Text(_standing(ranked, compromised)),
            style="bold red" if ranked.suspect else "",
        )
    return table


def share_bar(share: float, line: float, width: int, *, ascii_only: bool) -> str:
    """A bar of `width` cells for a share in [0, 1], with an upright line at `line`."""
    full, mark = ("#", "|") if ascii_only else ("━", "│")
    cells = [full if cell < round(share * width) else " " for cell in range(width)]
    cells[min(int(line * width), width - 1)] = mark
    return "".join(cells)


def _standing(ranked: Ranked, compromised: frozenset[str]) -> str:
    words = ["suspect"] if ranked.suspect else []
    if ranked.id in compromised:
        words.append("compromised")
    return ", ".join(words)


def _evaluation_in_words(evaluation: Evaluation) -> str:
    auc = "not defined" if evaluation.auc is None else f"{evaluation.auc:.3f}"
    return (
        f"Truth: {evaluation.caught:.0%} of the {len(evaluation.compromised)} compromised are "
        f"suspects; confidence C {evaluation.confidence:.3f} (as in the paper "
        f"{evaluation.confidence_paper:.3f}); AUC {auc}."
    )
