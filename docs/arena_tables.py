"""The tables of the page `arena.md`, made from the results beside it alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ariba_cli.arena.figures import MEASURES, Measure, figure, naming_anybody, of, worst_attack
from ariba_cli.arena.steps import CLEAN

_NONE = "–"


def tables(result: Mapping[str, Any]) -> list[str]:
    """Return the sections of the page, a table for each measure after that of the worst cases.

    Parameters
    ----------
    result : dict
        As `ariba arena` writes it.
    """
    failed = sum(cell["status"] == "failed" for cell in result["cells"])
    told = f"{len(result['cells'])} cells; {failed} failed. A figure is the mean over the "
    sections = [f"### {result['title']}\n\n{told}federations.\n\n", _worst(result)]
    return [*sections, *(_of_measure(result, measure) for measure in MEASURES)]


def _worst(result: Mapping[str, Any]) -> str:
    """Return what the worst attack does to each defence."""
    cells = result["cells"]
    heads = ["defence", "clean rounds that name somebody", *(one.title for one in MEASURES)]
    rows = []
    for defence in result["defences"]:
        row = [defence, _share(naming_anybody(cells, defence))]
        for measure in MEASURES:
            worst = worst_attack(cells, result["attacks"], defence, measure)
            row.append(_NONE if worst is None else f"{_share(worst[1])} ({worst[0]})")
        rows.append(row)
    return "#### The worst attack for each defence\n\n" + _table(heads, rows)


def _of_measure(result: Mapping[str, Any], measure: Measure) -> str:
    attacks = [CLEAN, *result["attacks"]]
    cells = {
        (attack, defence): figure(of(result["cells"], attack, defence), measure).mean
        for attack in attacks
        for defence in result["defences"]
    }
    defences = [
        one
        for one in result["defences"]
        if any(cells[attack, one] is not None for attack in attacks)
    ]
    rows = [
        [attack, *(_share(cells[attack, defence]) for defence in defences)]
        for attack in attacks
        if any(cells[attack, defence] is not None for defence in defences)
    ]
    return f"#### {measure.title}\n\n{measure.meaning}\n\n" + _table(["attack", *defences], rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "".join(_lines(heads, rows)) + "\n"


def _lines(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for row in (heads, ["---"] * len(heads), *rows):
        yield f"| {' | '.join(row)} |\n"


def _share(value: float | None) -> str:
    return _NONE if value is None else f"{value:.2f}"
