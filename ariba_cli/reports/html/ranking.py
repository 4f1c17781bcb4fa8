"""The ranking as a table: the suspects beside those who come next, and everybody on request."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from ariba_cli.base.visible import visible
from ariba_cli.reports.html.blocks import count, folded, note, section, table
from ariba_cli.reports.html.markup import Child, element
from ariba_cli.reports.html.people import shown, standing_mark
from ariba_cli.reports.words import expected_share, p_in_words, value_in_words, value_name
from ariba_cli.verdicts.ranked import Ranked
from ariba_cli.verdicts.verdict import Verdict

_HEADERS_OF_MARKS = ("rank", "participant", "score", "share", "× k̃/n", "")
_NUMBERS_OF_MARKS = (1, 3, 4, 5)


def ranking_section(verdict: Verdict) -> Element | None:
    """Return the section with the ranking; None where nobody is ranked."""
    if not verdict.ranking:
        return None
    people = shown(verdict)
    named = "flagged" if verdict.by_level else "suspects"
    first = named.capitalize()
    if len(people.suspects) < len(verdict.suspects):
        first = f"The first {len(people.suspects)} of {len(verdict.suspects):,} {named}"
    columns = [_part(first, people.suspects, verdict)] if people.suspects else []
    if people.next_ones:
        which = "next" if people.suspects else "first"
        columns.append(_part(f"The {which} {len(people.next_ones)}", people.next_ones, verdict))
    children: list[Child] = [note(_explanation(verdict))]
    children.append(element("div", {"class": "columns"}, *columns))
    if people.left_out:
        everybody = f"All {count(len(verdict.ranking), 'participant')}"
        full = _table(verdict.ranking, verdict)
        children.append(folded(everybody, full, rows=len(verdict.ranking)))
    return section("ranking", "Ranking", *children)


def _explanation(verdict: Verdict) -> str:
    expected = expected_share(verdict)
    if expected is None:
        return (
            f"The score is called {value_name(verdict)} and is found from the whole update; the "
            "method says how. The higher it is, the more suspicious the participant."
        )
    line = f"k̃/n = {expected:.3g}"
    if len(verdict.marked_layers) > 1:
        return (
            "The score is the number of marked fragments in all layers. The ranking goes by the "
            "share, the mean over the layers of what part of a participant's fragments is marked. "
            f"{line} is what it would be if nobody stood out."
        )
    return (
        "The score is the number of a participant's fragments that are among the most distant, "
        "and the share is what part of its fragments that is. "
        f"{line} is what it would be if nobody stood out."
    )


def _part(heading: str, people: Sequence[Ranked], verdict: Verdict) -> Element:
    return element("div", {}, element("h3", {}, heading), _table(people, verdict))


def _table(people: Sequence[Ranked], verdict: Verdict) -> Element:
    line = expected_share(verdict)
    if line is None:
        chance = ("p-value",) if verdict.by_level else ()
        headers = ("rank", "participant", *chance, value_name(verdict), "")
        plain = (_row(ranked, verdict) for ranked in people)
        right = (1, 3, 4) if chance else (1, 3)
        return table(headers, plain, right=right, heading=1, kind="ranking")
    marked = (_row_of_marks(ranked, line, verdict) for ranked in people)
    return table(_HEADERS_OF_MARKS, marked, right=_NUMBERS_OF_MARKS, heading=1, kind="ranking")


def _row(ranked: Ranked, verdict: Verdict) -> tuple[Child, ...]:
    return (
        str(ranked.rank),
        visible(ranked.id),
        *([p_in_words(ranked.p_value)] if verdict.by_level else []),
        value_in_words(verdict, ranked.value),
        standing_mark(ranked, verdict),
    )


def _row_of_marks(ranked: Ranked, line: float, verdict: Verdict) -> tuple[Child, ...]:
    return (
        str(ranked.rank),
        visible(ranked.id),
        f"{ranked.score:,}",
        value_in_words(verdict, ranked.value),
        f"{ranked.value / line:.2f}",
        standing_mark(ranked, verdict),
    )
