"""The shares, or scores, as bars in the order of the ranking, with the cutoff (Fig. 6a)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from ariba_cli.base.visible import visible
from ariba_cli.reports.html.blocks import count, figure, note, scrolling, section
from ariba_cli.reports.html.drawing import (
    SHAPES,
    at,
    label,
    legend,
    line,
    path,
    rectangle,
    slanted,
    svg,
    swatch,
)
from ariba_cli.reports.html.markup import Child, short
from ariba_cli.reports.words import (
    expected_share,
    marks_fragments,
    named_in_words,
    named_word,
    value_in_words,
    value_name,
)
from ariba_cli.verdicts.ranked import Ranked
from ariba_cli.verdicts.verdict import Verdict

# Beyond so many participants, the first of them get a bar each, and all a profile.
_MOST_BARS = 120
_FIRST_BARS = 60
_MOST_STEPS = 400

_LEFT, _RIGHT, _TOP, _HEIGHT = 48, 104, 26, 210
_ROOM = 804
_NARROWEST, _WIDEST = 6.0, 30.0
# A bar so wide has room for a name below it.
_NAMED = 11.0
_NAME = 11
# The share at the top of an axis, and the distance of its ticks.
_AXES = (
    (0.1, 0.02),
    (0.2, 0.05),
    (0.3, 0.1),
    (0.4, 0.1),
    (0.5, 0.1),
    (0.6, 0.2),
    (0.8, 0.2),
    (1.0, 0.2),
)
_BELOW = 26
# Scores have as many ticks at most; numbers beyond these are drawn as if they were none.
_MOST_TICKS = 6
_LEAST, _LARGEST = 1e-300, 1e300


@dataclass(frozen=True)
class _Frame:
    """The axes.

    Attributes
    ----------
    places : int
        The number of places.
    step : float
        The width of each place.
    top : float
        The share or score at the top.
    tick : float
        The distance of the ticks.
    decimals : str
        The format of the numbers at the ticks.
    """

    places: int
    step: float
    top: float
    tick: float
    decimals: str

    @property
    def right(self) -> float:
        return _LEFT + self.places * self.step

    def x(self, place: float) -> float:
        return _LEFT + place * self.step

    def y(self, value: float) -> float:
        """Return the height of a value; one below zero has a bar that is empty."""
        return _TOP + _HEIGHT * (1 - min(max(value, 0.0), self.top) / self.top)


def scores_section(verdict: Verdict) -> Element | None:
    """Return the shares or scores in pictures; None where nobody is ranked."""
    if not verdict.ranking:
        return None
    everybody = verdict.ranking
    if len(everybody) <= _MOST_BARS:
        pictures = [figure(scrolling(_bars(everybody, verdict)), _legend(verdict))]
    else:
        first = f"The first {_FIRST_BARS}, a bar each."
        profile = f"All {count(len(everybody), 'participant')} in the order of the ranking."
        pictures = [
            figure(scrolling(_bars(everybody[:_FIRST_BARS], verdict)), first, _legend(verdict)),
            figure(scrolling(_profile(verdict)), profile),
        ]
    return section("scores", "Scores", *_notes(verdict), *pictures)


def _notes(verdict: Verdict) -> list[Child]:
    """Return the meaning of the heights, where they are not shares."""
    if marks_fragments(verdict):
        return []
    text = f"The height of a bar is the score of a whole update ({value_name(verdict)})."
    if any(ranked.value < 0 for ranked in verdict.ranking):
        text += " A score below zero has an empty bar."
    return [note(text)]


def _bars(people: Sequence[Ranked], verdict: Verdict) -> Element:
    step = min(max(_ROOM / len(people), _NARROWEST), _WIDEST)
    frame = _frame(len(people), step, verdict)
    named = step >= _NAMED
    compromised = verdict.compromised
    parts: list[Child] = []
    for place, ranked in enumerate(people):
        parts.append(_bar(frame, place, ranked, verdict))
        if ranked.id in compromised:
            parts.append(path(at(frame.x(place + 0.5), _TOP + _HEIGHT + 7, SHAPES[2]), "truth"))
        if named:
            kind = "end suspect" if ranked.named else "end"
            below = 18 if compromised else 12
            y = _TOP + _HEIGHT + below
            parts.append(slanted(frame.x(place + 0.5) + 4, y, short(ranked.id, _NAME), kind))
    longest = max(len(short(ranked.id, _NAME)) for ranked in people) if named else 0
    height = _TOP + _HEIGHT + _BELOW + longest * 4.5
    lines = "k_est/n and the cutoff" if marks_fragments(verdict) else "the cutoff"
    title = f"{_what(verdict)} of {count(len(people), 'participant')}, with {lines}"
    return svg(
        frame.right + _RIGHT,
        height,
        title,
        *_grid(frame),
        *parts,
        *_lines(frame, verdict),
    )


def _bar(frame: _Frame, place: int, ranked: Ranked, verdict: Verdict) -> Element:
    gap = min(frame.step * 0.22, 4.0)
    top = frame.y(ranked.value)
    word = "suspect" if ranked.named else "other"
    standing = f", {named_word(verdict)}" if ranked.named else ""
    value = f"{value_name(verdict)} {value_in_words(verdict, ranked.value)}"
    marked = f", {ranked.score:,} marked" if marks_fragments(verdict) else ""
    return rectangle(
        frame.x(place) + gap / 2,
        top,
        frame.step - gap,
        _TOP + _HEIGHT - top,
        f"bar {word}",
        f"{ranked.rank}. {visible(ranked.id)}: {value}{marked}{standing}",
    )


def _profile(verdict: Verdict) -> Element:
    """Return the values of everybody as two areas; neighbours of the same standing share a step.

    A step is as high as the highest of them, so that nobody who stands out is lost.
    """
    ranking = verdict.ranking
    frame = _frame(len(ranking), _ROOM / len(ranking), verdict)
    size = -(-len(ranking) // _MOST_STEPS)
    named = len(verdict.suspects)
    areas = [
        path(_area(frame, ranking[:named], 0, size), "bar suspect"),
        path(_area(frame, ranking[named:], named, size), "bar other"),
    ]
    ticks: list[Child] = [
        label(frame.x(place), _TOP + _HEIGHT + 16, f"{place:,}", "middle")
        for place in range(0, len(ranking) + 1, _round_step(len(ranking)))
    ]
    return svg(
        frame.right + _RIGHT,
        _TOP + _HEIGHT + _BELOW,
        f"{_what(verdict)} of all {len(ranking):,} participants by rank",
        *_grid(frame),
        *areas,
        *ticks,
        *_lines(frame, verdict),
    )


def _area(frame: _Frame, people: Sequence[Ranked], first: int, size: int) -> str:
    base = _TOP + _HEIGHT
    corners = [at(frame.x(first), base, "")]
    for start in range(0, len(people), size):
        y = frame.y(people[start].value)
        end = first + min(start + size, len(people))
        corners.append(f"L{at(frame.x(first + start), y, '')[1:]}")
        corners.append(f"L{at(frame.x(end), y, '')[1:]}")
    corners.append(f"L{at(frame.x(first + len(people)), base, 'z')[1:]}")
    return "".join(corners)


def _grid(frame: _Frame) -> list[Child]:
    parts: list[Child] = []
    for index in range(round(frame.top / frame.tick) + 1):
        value = index * frame.tick
        y = frame.y(value)
        parts.append(line(_LEFT, y, frame.right, y, "axis" if index == 0 else "grid"))
        parts.append(label(_LEFT - 8, y + 4, format(value, frame.decimals), "end"))
    return parts


def _lines(frame: _Frame, verdict: Verdict) -> list[Child]:
    """Return the share k_est/n, and the cutoff between the last suspect and the next one."""
    parts: list[Child] = []
    expected = expected_share(verdict)
    if expected is not None:
        y = frame.y(expected)
        parts += [
            line(_LEFT, y, frame.right + 6, y, "expected"),
            label(frame.right + 10, y + 4, f"k_est/n = {expected:.3g}", "strong"),
        ]
    named = len(verdict.suspects)
    if named <= frame.places:
        x = frame.x(named)
        kind = "start" if x < frame.right - 120 else "end"
        parts.append(line(x, _TOP - 8, x, _TOP + _HEIGHT + 4, "cut"))
        text = f"{named:,} flagged" if verdict.by_level else f"cutoff at k_est = {named:,}"
        parts.append(label(x + (6 if kind == "start" else -6), 14, text, kind))
    return parts


def _legend(verdict: Verdict) -> Element:
    entries = [
        (swatch("m-6 -5h12v10h-12z", "bar suspect"), named_word(verdict)),
        (
            swatch("m-6 -5h12v10h-12z", "bar other"),
            "not flagged" if verdict.by_level else "not a suspect",
        ),
    ]
    if expected_share(verdict) is not None:
        entries.append((swatch("m-7 0h14", "expected"), "k_est/n, if nobody stood out"))
    entries.append(
        (swatch("m0 -7v14", "cut"), f"cutoff between {named_in_words(verdict)} and the next")
    )
    if verdict.compromised:
        entries.append((swatch(SHAPES[2], "truth"), "known to be compromised"))
    return legend(*entries)


def _what(verdict: Verdict) -> str:
    return "Shares" if marks_fragments(verdict) else "Scores"


def _frame(places: int, step: float, verdict: Verdict) -> _Frame:
    """Return axes that reach above all bars and the line."""
    highest = max(verdict.ranking[0].value, expected_share(verdict) or 0.0)
    if marks_fragments(verdict):
        top, tick = next((axis for axis in _AXES if axis[0] >= highest * 1.04), _AXES[-1])
        return _Frame(places, step, top, tick, ".2f")
    return _Frame(places, step, *axis_of_scores(highest), ",.6g")


def axis_of_scores(highest: float) -> tuple[float, float]:
    """Return a round score above the highest, and the distance of ticks, which is round too.

    >>> axis_of_scores(7.5), axis_of_scores(-1.0)
    ((8.0, 2.0), (1.0, 0.5))
    """
    if highest < _LEAST:
        return 1.0, 0.5
    reach = min(highest, _LARGEST) * 1.04
    unit = 10.0 ** math.floor(math.log10(reach))
    steps = (factor * unit for factor in (0.1, 0.2, 0.5, 1.0, 2.0))
    tick = next(step for step in steps if math.ceil(reach / step) <= _MOST_TICKS)
    return math.ceil(reach / tick) * tick, tick


def _round_step(length: int) -> int:
    """Return a round distance of ticks, of which there are at most ten."""
    step = 10
    while length // step > 10:
        step *= 2 if str(step).startswith("1") else 5
    return step
