"""The verdict on all rounds of a run → the table that a reviewer reads on a terminal."""

from typing import TYPE_CHECKING

from ariba_cli.base.visible import visible
from ariba_cli.reports.history_words import course_in_words, headline_in_words
from ariba_cli.reports.text import Paper, finding_lines, indented, plain_table, render, sentence
from ariba_cli.reports.words import p_in_words
from ariba_cli.verdicts.history import Course, History

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

# How many are shown after those who are named, and of how many of those it is said in words.
_NEXT = 5
_MOST_EXPLAINED = 20
# Of so many rounds, the last, a mark is shown.
_MOST_MARKS = 40
_NARROWEST = 8
# What the other columns take, without names.
_BESIDE = 44
# By the largest p-value of each, in Unicode and in ASCII.
_MARKS = {1e-4: ("█", "#"), 0.01: ("▓", "+"), 0.05: ("▒", "-"), 1.0: ("·", ".")}


def history_table(history: History, paper: Paper, *, top: int | None = None) -> str:
    """Return the ranking over the rounds with a mark for each, and its meaning in words.

    Parameters
    ----------
    history : History
        The verdict to show.
    paper : Paper
        The paper on which the table is drawn.
    top : int, optional
        The number of participants to show; those who are named and the next five when None.
    """
    shown = top or len(history.suspects) + _NEXT
    parts: list[RenderableType] = [
        sentence("All rounds together", style="bold underline"),
        "",
        sentence(headline_in_words(history), style="bold"),
    ]
    named = history.suspects
    for one in named[:_MOST_EXPLAINED]:
        parts.append(indented(f"{visible(one.id)}: {course_in_words(one, history)}."))
    if len(named) > _MOST_EXPLAINED:
        more = f"and {len(named) - _MOST_EXPLAINED:,} more; -f json has them all"
        parts.append(indented(more))
    parts += ["", _table(history, paper, shown)]
    rest = len(history.ranking) - shown
    if rest > 0:
        parts.append(sentence(f"and {rest:,} more (--top all shows them)"))
    parts += ["", sentence(_legend(paper)), *finding_lines(history.findings)]
    return render(parts, paper)


def _table(history: History, paper: Paper, shown: int) -> "Table":
    from rich.text import Text

    names = max(len(visible(one.id)) for one in history.ranking[:shown])
    room = max(_NARROWEST, min(_MOST_MARKS, paper.width - _BESIDE - names))
    numbers = [one.number for one in history.rounds][-room:]
    others = history.detectors[1:]
    table = plain_table(
        ("rank", "right"),
        ("participant", "left"),
        ("p-value", "right"),
        ("since", "right"),
        (f"{numbers[0]}-{numbers[-1]}", "left"),
        *((one.name, "right") for one in others),
    )
    ranks = [{name: place for place, name in enumerate(one.ids, 1)} for one in others]
    for ranked in history.ranking[:shown]:
        course = history.course(ranked.id)
        table.add_row(
            str(ranked.rank),
            Text(visible(ranked.id), overflow="fold"),
            p_in_words(ranked.p_value),
            "" if course.began is None else str(course.began),
            Text(_marks(course, len(numbers), paper), no_wrap=True),
            *(str(own[ranked.id]) for own in ranks),
            style="bold red" if ranked.named else "",
        )
    return table


def _marks(course: Course, last: int, paper: Paper) -> str:
    """Return a mark for each of the last rounds; a blank where it was away."""
    place = 1 if paper.ascii_only else 0
    return "".join(
        " " if p is None else next(mark[place] for most, mark in _MARKS.items() if p <= most)
        for p in course.p_values[-last:]
    )


def _legend(paper: Paper) -> str:
    place = 1 if paper.ascii_only else 0
    said = [
        f"{mark[place]} p <= {most:g}" if most < 1 else f"{mark[place]} more"
        for most, mark in _MARKS.items()
    ]
    return f"Marks, a round each: {', '.join(said)}."
