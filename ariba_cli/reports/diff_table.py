"""The comparison of two reports → the table that a reviewer reads on a terminal."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ariba_cli.base.visible import visible
from ariba_cli.reports.finding_words import findings_in_words
from ariba_cli.reports.text import Paper, plain_table, render, sentence
from ariba_cli.verdicts.comparison import Change, Comparison, Movement
from ariba_cli.verdicts.ranked import Ranked

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def diff_table(comparison: Comparison, paper: Paper, names: tuple[str, str]) -> str:
    """Return everybody who has another place, and all other differences in words.

    Parameters
    ----------
    comparison : Comparison
        The differences.
    paper : Paper
        The paper on which the table is drawn.
    names : tuple of str
        What the two reports are called.
    """
    first, second = map(visible, names)
    parts: list[RenderableType] = [sentence(f"First: {first}"), sentence(f"Second: {second}"), ""]
    if comparison.moved:
        parts += [_movements(comparison, paper), ""]
    parts.append(sentence(_named_in_words(comparison), style="bold"))
    parts += [sentence(line) for line in _others_in_words(comparison)]
    parts += [sentence(_change_in_words(one)) for one in comparison.parameters]
    for word, findings in (("new", comparison.new), ("gone", comparison.gone)):
        lines = findings_in_words(findings)
        parts += [sentence(f"{word} finding: {line}", style="yellow") for line in lines]
    return render(parts, paper)


def _movements(comparison: Comparison, paper: Paper) -> "Table":
    arrow = "->" if paper.ascii_only else "→"
    places = [place for one in comparison.moved for place in (one.first, one.second) if place]
    what = "share" if all(place.share is not None for place in places) else "score"
    table = plain_table(("participant", "left"), ("rank", "right"), (what, "right"), ("", "left"))
    for one in comparison.moved:
        ranks = _two(one, arrow, lambda ranked: str(ranked.rank))
        values = _two(one, arrow, _value_in_words)
        named = one.second is not None and one.second.named
        style = "bold red" if named and not (one.first and one.first.named) else ""
        name = sentence(visible(one.id))
        table.add_row(name, ranks, values, _standing(one, comparison), style=style)
    return table


def _two(one: Movement, arrow: str, show: Callable[[Ranked], str]) -> str:
    first, second = ("-" if place is None else show(place) for place in (one.first, one.second))
    return first if first == second else f"{first} {arrow} {second}"


def _value_in_words(ranked: Ranked) -> str:
    return f"{ranked.score:.4g}" if ranked.share is None else f"{ranked.share:.3f}"


def _standing(one: Movement, comparison: Comparison) -> str:
    if one.id in comparison.only_in_first:
        return "only in the first"
    was = one.first is not None and one.first.named
    now = one.second is not None and one.second.named
    words = {
        (False, True): "newly named",
        (True, False): "no longer named",
        (True, True): "named",
        (False, False): "",
    }[was, now]
    if one.id in comparison.only_in_second:
        return ", ".join(filter(None, ("only in the second", words)))
    return words


def _named_in_words(comparison: Comparison) -> str:
    if comparison.same:
        return "Those who are named and the ranking are the same."
    if not comparison.entered and not comparison.left:
        return "The same participants are named; the ranking is not the same."
    said = []
    if comparison.entered:
        said.append(f"newly named: {_names(comparison.entered)}")
    if comparison.left:
        said.append(f"no longer named: {_names(comparison.left)}")
    return f"Named: {'; '.join(said)}."


def _others_in_words(comparison: Comparison) -> Iterator[str]:
    for where, names in (
        ("first", comparison.only_in_first),
        ("second", comparison.only_in_second),
    ):
        if names:
            yield f"Only in the {where}: {_names(names)}."
    kept = len(comparison.participants) - len(comparison.moved)
    if comparison.moved and kept:
        yield f"{kept:,} others have the same rank in both."


def _change_in_words(change: Change) -> str:
    return visible(f"{change.name}: {_value(change.first)}, then {_value(change.second)}")


def _value(value: Any) -> str:
    if isinstance(value, list) and value:
        return ", ".join(map(str, value))
    return "none" if value in (None, []) else str(value)


def _names(ids: Sequence[str]) -> str:
    return ", ".join(map(visible, ids))
