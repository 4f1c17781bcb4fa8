"""The one list of people: those who are named in the verdict, and everybody else below it."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from ariba_cli.base.visible import visible
from ariba_cli.reports.html.blocks import count, folded, note, section, table
from ariba_cli.reports.html.markup import Child, append, element
from ariba_cli.reports.html.people import shown, standing_mark
from ariba_cli.reports.reasons import reasons_in_words
from ariba_cli.reports.words import expected_share, p_in_words, value_in_words, value_name
from ariba_cli.verdicts.ranked import Ranked
from ariba_cli.verdicts.verdict import Verdict

_MOST_REASONS = 30
_MOST_SUSPECTS = 50
_HEADERS_OF_MARKS = ("rank", "participant", "score", "share", "× k_est/n", "")
_NUMBERS_OF_MARKS = (1, 3, 4, 5)


def named_people(verdict: Verdict) -> list[Child]:
    """Return the list of those who are named, the first of them if there are many."""
    named = verdict.suspects
    if not named:
        return []
    if verdict.by_level:
        kind, most, who = _reasons, _MOST_REASONS, "who are flagged"
    else:
        kind, most, who = _table, _MOST_SUSPECTS, "suspects"
    children: list[Child] = [kind(named[:most], verdict)]
    hidden = len(named) - most
    if hidden > 0:
        children.append(
            folded(f"The other {hidden:,} {who}", kind(named[most:], verdict), rows=hidden)
        )
    return children if verdict.by_level else [*children, note(_explanation(verdict))]


def ranking_section(verdict: Verdict) -> Element | None:
    """Return the ranking from the first who is not named on; None where there is nobody."""
    named = len(verdict.suspects)
    others = verdict.ranking[named:]
    if not others:
        return None
    first = shown(verdict).next_ones
    children: list[Child] = [_table(first, verdict)]
    hidden = len(others) - len(first)
    if hidden > 0:
        who = f"The other {count(hidden, 'participant')}"
        children.append(folded(who, _table(others[len(first) :], verdict), rows=hidden))
    if verdict.by_level:
        children.insert(0, note(_explanation(verdict)))
    return section("ranking", "Everybody else" if named else "Ranking", *children)


def _reasons(people: Sequence[Ranked], verdict: Verdict) -> Element:
    """Return the reasons against each of those who are flagged."""
    node = element("dl", {"class": "reasons"})
    for ranked in people:
        value = value_in_words(verdict, ranked.value)
        chance = f"p-value {p_in_words(ranked.p_value)}, {value_name(verdict)} {value}"
        name = element("dt", {}, element("b", {}, f"▲ {visible(ranked.id)}"))
        if ranked.id in verdict.compromised:
            append(name, element("span", {"class": "known"}, "◆ compromised"))
        append(name, element("div", {"class": "note"}, chance))
        append(node, name)
        append(node, element("dd", {}, f"{reasons_in_words(ranked)}."))
    return node


def _explanation(verdict: Verdict) -> str:
    expected = expected_share(verdict)
    if expected is None:
        return (
            f"The score ({value_name(verdict)}) comes from the whole update; see the method. A "
            "participant with a higher score is more suspicious."
        )
    line = f"k_est/n = {expected:.3g}"
    if len(verdict.marked_layers) > 1:
        return (
            "The score is the number of marked fragments in all layers. The ranking goes by the "
            "share: the part of a participant's fragments that is marked, as a mean over the "
            f"layers. If nobody stood out, it would be {line}."
        )
    return (
        "The score is the number of a participant's fragments that are among the most distant, "
        "and the share is that number divided by all of its fragments. "
        f"If nobody stood out, the share would be {line}."
    )


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
