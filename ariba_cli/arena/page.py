"""The page of an arena: one file without scripts, made of the results and of nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any
from xml.etree.ElementTree import Element

from ariba_cli.arena.figures import (
    MEASURES,
    Cells,
    Compared,
    Measure,
    by_federation,
    compared,
    federation_name,
    figure,
    naming_anybody,
    of,
    worst_attack,
)
from ariba_cli.arena.steps import CLEAN
from ariba_cli.reports.html.blocks import bullets, count, note, paragraph, section, table
from ariba_cli.reports.html.frame import head, header, navigation
from ariba_cli.reports.html.markup import Child, element, serialise

_LEVELS = 10
_NONE, _FAILED = "–", "failed"
_HEADS = ("Defence", CLEAN, "worst attack")


def arena_html(result: Mapping[str, Any]) -> bytes:
    """Return the page.

    Parameters
    ----------
    result : dict
        The result of `arena_json.result`, or the same from the JSON.

    Returns
    -------
    bytes
        HTML in UTF-8. The same results give the same bytes.
    """
    sections = [
        _worst_section(result),
        *(_measure_section(result, measure) for measure in MEASURES),
        _federations_section(result),
        *_published_section(result),
        _cells_section(result),
    ]
    css = (resources.files("ariba_cli.arena") / "arena.css").read_text("utf-8")
    top = head(f"{result['title']} – ariba arena", css)
    return serialise(element("html", {"lang": "en"}, top, _body(result, sections)))


def _body(result: Mapping[str, Any], sections: Sequence[Element]) -> Element:
    cells = result["cells"]
    failed = sum(cell["status"] == "failed" for cell in cells)
    facts = f"{len(cells)} cells: {len(result['attacks'])} attacks and clean rounds against "
    facts += (
        f"{len(result['defences'])} defences in {count(len(_federations(cells)), 'federation')}"
    )
    facts += f"; {failed} failed" if failed else ""
    return element(
        "body",
        {"class": "arena"},
        header("ariba arena", result["title"], (facts,)),
        navigation(sections),
        element("main", {}, *sections),
    )


def _federations(cells: Cells) -> set[str]:
    return {repr(sorted(cell["federation"].items())) for cell in cells}


def _worst_section(result: Mapping[str, Any]) -> Element:
    """Return the section on the worst attack on each defence, which an attacker would choose."""
    cells = result["cells"]
    rows = []
    for defence in result["defences"]:
        row: list[Child] = [defence, _share(naming_anybody(cells, defence))]
        for measure in MEASURES:
            worst = worst_attack(cells, result["attacks"], defence, measure)
            row.append(_NONE if worst is None else _worst_words(*worst))
        rows.append(row)
    heads = ["Defence", "Clean rounds that name somebody"]
    return section(
        "worst",
        "Worst cases",
        paragraph(
            "An attacker can choose how to attack. So each figure is that of the attack that is "
            "worst for the defence, as a mean over federations, with its name below."
        ),
        table([*heads, *(measure.title for measure in MEASURES)], rows, kind="worst"),
    )


def _worst_words(attack: str, value: float) -> Element:
    return element("td", {}, _share(value), element("span", {"class": "by"}, attack))


def _measure_section(result: Mapping[str, Any], measure: Measure) -> Element:
    return section(
        measure.key.replace("_", "-"),
        measure.title,
        note(
            f"{measure.meaning} Figures are means over all federations; darker is worse for the "
            "defence. Click on a figure to see its cells."
        ),
        _map(result, result["cells"], measure),
    )


def _map(result: Mapping[str, Any], cells: Cells, measure: Measure) -> Element:
    """Return a table with a column for each attack, and a row for each defence of the measure."""
    rows = []
    for defence in result["defences"]:
        worst = worst_attack(cells, result["attacks"], defence, measure)
        if worst is None:
            continue
        row: list[Child] = [defence]
        for attack in (CLEAN, *result["attacks"]):
            row.append(_mean(of(cells, attack, defence), measure, _anchor(attack, defence)))
        row.insert(2, _shaded(worst[1], measure, None))
        rows.append(row)
    return table([*_HEADS, *result["attacks"]], rows, kind="heatmap arena")


def _mean(cells: Cells, measure: Measure, anchor: str) -> Element:
    found = figure(cells, measure)
    if found.mean is None and found.failed:
        return element("td", {}, element("a", {"href": f"#{anchor}"}, _FAILED))
    return _shaded(found.mean, measure, anchor)


def _shaded(value: float | None, measure: Measure, anchor: str | None) -> Element:
    if value is None:
        return element("td", {"class": "none"}, _NONE)
    level = round(min(max(measure.harm(value), 0.0), 1.0) * _LEVELS)
    text: Child = _share(value)
    if anchor is not None:
        text = element("a", {"href": f"#{anchor}"}, text)
    return element("td", {"class": f"s{level}"}, text)


def _federations_section(result: Mapping[str, Any]) -> Element:
    folds = []
    for name, cells in by_federation(result["cells"]).items():
        maps: list[Child] = [element("summary", {}, name)]
        for measure in MEASURES:
            maps += [element("h3", {}, measure.title), _map(result, cells, measure)]
        folds.append(element("details", {}, *maps))
    return section(
        "federations",
        "Each federation",
        note("The same tables for each federation by itself, as means over its seeds."),
        *folds,
    )


def _published_section(result: Mapping[str, Any]) -> Iterator[Element]:
    found = compared(result["cells"], result["published"])
    if found:
        heads = ["Figure", "Published", "Ours", "", "Source"]
        yield section(
            "published",
            "Published figures",
            note(
                "A figure is reproduced where ours is within the tolerance that the config names."
            ),
            table(heads, [_published_row(one) for one in found], right=(2, 3)),
        )


def _published_row(one: Compared) -> list[Child]:
    entry = one.entry
    federation = ", ".join(entry["federation"].values())
    words = [f"{entry['measure']} of {entry['defence']} against {entry['attack']}"]
    verdict = {True: "reproduced", False: "not reproduced", None: "not run"}[one.reproduced]
    return [
        ", ".join([*words, *([federation] if federation else [])]),
        f"{_share(entry['value'])} ± {entry['tolerance']:g}",
        _share(one.ours),
        element("td", {"class": "flag" if one.reproduced is False else "fine"}, verdict),
        entry["source"],
    ]


def _cells_section(result: Mapping[str, Any]) -> Element:
    folds = []
    for attack in (CLEAN, *result["attacks"]):
        folds.append(element("h3", {}, attack))
        folds += [
            _fold(attack, defence, of(result["cells"], attack, defence))
            for defence in result["defences"]
        ]
    return section(
        "cells",
        "Cells",
        note("How each cell was made: the commands, typed in the folder of the arena."),
        *folds,
    )


def _fold(attack: str, defence: str, cells: Cells) -> Element:
    """Return the cells of one attack and one defence, with their commands."""
    # A browser opens the fold when a link leads to what is inside.
    inside = element("div", {"id": _anchor(attack, defence)})
    for cell in cells:
        seed = cell["federation"].get("seed", 0)
        inside.append(element("h4", {}, f"{federation_name(cell)}, seed {seed}"))
        inside.append(_cell_facts(cell))
        inside.append(element("pre", {}, element("code", {}, "\n".join(cell["commands"]))))
    summary = element("summary", {}, f"{defence}: {count(len(cells), 'cell')}")
    return element("details", {}, summary, inside)


def _cell_facts(cell: Mapping[str, Any]) -> Element:
    if cell["measures"] is None:
        return element("p", {"class": "suspect"}, f"failed: {cell['error']}")
    told = [
        f"{measure.title.lower() if measure.key != 'auc' else measure.title} {_share(value)}"
        for measure in MEASURES
        if (value := cell["measures"][measure.key]) is not None
    ]
    return bullets(told)


def _anchor(attack: str, defence: str) -> str:
    return f"c-{attack}-{defence}"


def _share(value: float | None) -> str:
    """Return a share with two decimals; 1 and 0 only where it is exactly that.

    >>> _share(0.9999), _share(1), _share(0.002), _share(None)
    ('0.99', '1', '0.01', '–')
    """
    if value is None:
        return _NONE
    if value in (0, 1):
        return f"{value:g}"
    return f"{min(max(value, 0.01), 0.99):.2f}"
