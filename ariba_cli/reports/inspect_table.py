"""The content of a file or a round → tables for a terminal."""

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ariba_cli.base.visible import visible
from ariba_cli.reports.text import Paper, finding_lines, plain_table, render, sentence
from ariba_cli.rounds.inspection import (
    HashedFile,
    InspectedFile,
    InspectedLayer,
    InspectedParticipant,
    InspectedRound,
)
from ariba_cli.rounds.layers import Layer

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def inspect_table(found: InspectedFile | InspectedRound, paper: Paper) -> str:
    """Return the whole content, as text."""
    parts = _file(found) if isinstance(found, InspectedFile) else _round(found)
    return render(parts, paper)


def _file(found: InspectedFile) -> "list[RenderableType]":
    parts: list[RenderableType] = [
        sentence(f"{visible(found.path)}: {found.format}, {found.bytes:,} bytes"),
        *(sentence(_hash_in_words(found, file)) for file in found.files),
    ]
    for what, layers in (("layer", found.layers), ("batch-norm statistic", found.statistics)):
        if layers:
            parts += ["", _tensors_of_file(what, layers)]
    return parts


def _hash_in_words(found: InspectedFile, file: HashedFile) -> str:
    return f"sha256 {file.sha256}" + ("" if found.sha256 else f"  {visible(file.path)}")


def _tensors_of_file(what: str, layers: Sequence[InspectedLayer]) -> "Table":
    table = plain_table(
        (what, "left"),
        ("shape", "left"),
        ("type", "left"),
        ("bytes", "right"),
        ("l2 norm", "right"),
    )
    for layer in layers:
        shape = _shape(layer.shape)
        table.add_row(
            visible(layer.name), shape, layer.dtype, f"{layer.bytes:,}", _number(layer.norm)
        )
    return table


def _round(found: InspectedRound) -> "list[RenderableType]":
    parts: list[RenderableType] = [
        sentence(_round_in_words(found)),
        "",
        _layers("layer", found.layers),
    ]
    if found.statistics:
        parts += ["", _layers("batch-norm statistic", found.statistics)]
    parts += ["", _participants(found)]
    if found.findings:
        parts += ["", *finding_lines(found.findings)]
    return parts


def _round_in_words(found: InspectedRound) -> str:
    seal = {"intact": "seal intact", "broken": "SEAL BROKEN", "none": "not sealed"}[found.seal]
    number = f"round {found.round}, " if found.round is not None else ""
    kind = f"{found.kind}, " if found.kind else ""
    with_global = "with" if found.has_global else "without"
    return (
        f"{visible(found.path)}: {number}{kind}{len(found.participants)} participants, "
        f"{with_global} the global model, {seal}"
    )


def _layers(what: str, layers: Sequence[Layer]) -> "Table":
    table = plain_table((what, "left"), ("shape", "left"), ("type", "left"), ("bytes", "right"))
    for layer in layers:
        size = f"{layer.spec.bytes:,}"
        table.add_row(visible(layer.name), _shape(layer.shape), layer.dtype, size)
    return table


def _participants(found: InspectedRound) -> "Table":
    norm_name = "norm of update" if found.norm_of == "update" else "norm of values"
    table = plain_table(
        ("participant", "left"),
        ("format", "left"),
        ("bytes", "right"),
        (norm_name, "right"),
        ("× median", "right"),
    )
    median = _median_norm(found.participants)
    for participant in found.participants:
        size = "" if participant.bytes is None else f"{participant.bytes:,}"
        table.add_row(
            visible(participant.id),
            participant.format or "refused",
            size,
            _number(participant.norm),
            _ratio(participant.norm, median),
        )
    return table


def _median_norm(participants: Sequence[InspectedParticipant]) -> float:
    norms = [participant.norm for participant in participants if participant.norm is not None]
    return statistics.median(norms) if norms else 0.0


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "scalar"


def _number(number: float | None) -> str:
    return "–" if number is None else f"{number:#.4g}"


def _ratio(norm: float | None, median: float) -> str:
    if norm is None or median == 0:
        return "–"
    ratio = norm / median
    return f"{ratio:.2f}" if ratio < 1e6 else f"{ratio:.2e}"
