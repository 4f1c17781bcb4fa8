"""Sentences about the rounds of a run together."""

from collections.abc import Callable

from ariba_cli.base.visible import visible
from ariba_cli.reports.words import names_in_words, p_in_words
from ariba_cli.verdicts.history import Course, History
from ariba_cli.verdicts.ranked import Ranked

_MOST_NAMED = 50


def headline_in_words(history: History, shown: Callable[[str], str] = visible) -> str:
    """Return the names of those who stand out over the rounds, or that nobody does.

    Parameters
    ----------
    history : History
        The verdict to put in words.
    shown : callable, optional
        The function that makes a name safe for its place.
    """
    names = names_in_words([one.id for one in history.suspects], shown, most=_MOST_NAMED)
    return f"{standing_out_in_words(history)}{f': {names}' if names else ''}."


def standing_out_in_words(history: History) -> str:
    """Return the number of those who stand out over the rounds, without a full stop."""
    named, n, alpha = len(history.suspects), len(history.ranking), history.decision.alpha
    assert alpha is not None
    level = f"(false-discovery level {100 * alpha:.3g}%)"
    over = f"Over {len(history.rounds):,} rounds ({span_in_words(history)}),"
    if not named:
        return (
            f"{over} none of {n:,} participants stands out {level}; this does not prove that "
            "they are clean"
        )
    stand = "stands" if named == 1 else "stand"
    return f"{over} {named:,} of {n:,} participants {stand} out {level}"


def span_in_words(history: History) -> str:
    """Return the first and the last round of the history."""
    return f"{history.rounds[0].number} to {history.rounds[-1].number}"


def course_in_words(ranked: Ranked, history: History, shown: Callable[[str], str] = visible) -> str:
    """Return the first suspicious round and the signs of a named participant, without its name."""
    course = history.course(ranked.id)
    said = [
        f"since round {course.began}, p-value {p_in_words(ranked.p_value)}",
        f"flagged in {alone(course, history)} of its {course.attended} rounds by itself",
    ]
    if course.layers:
        said.append(f"most in {', '.join(map(shown, course.layers))}")
    if course.label is not None:
        said.append(f"pulls at class {course.label}")
    return "; ".join(said)


def alone(course: Course, history: History) -> int:
    """Return the number of rounds in which it stood out by itself."""
    return sum(course.id in one.named for one in history.rounds)
