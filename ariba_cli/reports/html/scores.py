"""The shares as bars in the order of the ranking, with k̃/n and the cut (Fig. 6a)."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from ariba_cli.base.visible import visible
from ariba_cli.reports.html.blocks import count, figure, scrolling, section
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
from ariba_cli.reports.words import expected_share
from ariba_cli.verdicts.verdict import Ranked, Verdict

# Beyond so many participants, the first of them get a bar each, and all a profile.
_MOST_BARS = 120
_FIRST_BARS = 60
_MOST_STEPS = 400

_LEFT, _RIGHT, _TOP, _HEIGHT = 44, 84, 26, 210
_ROOM = 828
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


@dataclass(frozen=True)
class _Frame:
    """The axes: how many places there are, how wide each is, the share at the top, the ticks."""

    places: int
    step: float
    top: float
    tick: float

    @property
    def right(self) -> float:
        return _LEFT + self.places * self.step

    def x(self, place: float) -> float:
        return _LEFT + place * self.step

    def y(self, share: float) -> float:
        return _TOP + _HEIGHT * (1 - share / self.top)


def scores_section(verdict: Verdict) -> Element | None:
    """The shares in pictures; None where nobody is ranked."""
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
    return section("scores", "Scores", *pictures)


def _bars(people: Sequence[Ranked], verdict: Verdict) -> Element:
    step = min(max(_ROOM / len(people), _NARROWEST), _WIDEST)
    frame = _Frame(len(people), step, *_axis(verdict))
    named = step >= _NAMED
    compromised = _compromised(verdict)
    parts: list[Child] = []
    for place, ranked in enumerate(people):
        parts.append(_bar(frame, place, ranked))
        if ranked.id in compromised:
            parts.append(path(at(frame.x(place + 0.5), _TOP + _HEIGHT + 7, SHAPES[2]), "truth"))
        if named:
            kind = "end suspect" if ranked.suspect else "end"
            below = 18 if compromised else 12
            y = _TOP + _HEIGHT + below
            parts.append(slanted(frame.x(place + 0.5) + 4, y, short(ranked.id, _NAME), kind))
    longest = max(len(short(ranked.id, _NAME)) for ranked in people) if named else 0
    height = _TOP + _HEIGHT + _BELOW + longest * 4.5
    title = f"Shares of {count(len(people), 'participant')}, with k̃/n and the cut"
    return svg(
        frame.right + _RIGHT,
        height,
        title,
        *_grid(frame),
        *parts,
        *_lines(frame, verdict),
    )


def _bar(frame: _Frame, place: int, ranked: Ranked) -> Element:
    gap = min(frame.step * 0.22, 4.0)
    top = frame.y(ranked.share)
    word = "suspect" if ranked.suspect else "other"
    standing = ", suspect" if ranked.suspect else ""
    tip = f"{ranked.rank}. {visible(ranked.id)}: share {ranked.share:.3f}, {ranked.score:,}"
    return rectangle(
        frame.x(place) + gap / 2,
        top,
        frame.step - gap,
        _TOP + _HEIGHT - top,
        f"bar {word}",
        f"{tip} marked{standing}",
    )


def _profile(verdict: Verdict) -> Element:
    """The shares of everybody as two areas; neighbours of the same standing share a step.

    A step is as high as the highest of them, so that nobody who stands out is lost.
    """
    ranking = verdict.ranking
    frame = _Frame(len(ranking), _ROOM / len(ranking), *_axis(verdict))
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
        f"Shares of all {len(ranking):,} participants by rank",
        *_grid(frame),
        *areas,
        *ticks,
        *_lines(frame, verdict),
    )


def _area(frame: _Frame, people: Sequence[Ranked], first: int, size: int) -> str:
    base = _TOP + _HEIGHT
    corners = [at(frame.x(first), base, "")]
    for start in range(0, len(people), size):
        y = frame.y(people[start].share)
        end = first + min(start + size, len(people))
        corners.append(f"L{at(frame.x(first + start), y, '')[1:]}")
        corners.append(f"L{at(frame.x(end), y, '')[1:]}")
    corners.append(f"L{at(frame.x(first + len(people)), base, 'z')[1:]}")
    return "".join(corners)


def _grid(frame: _Frame) -> list[Child]:
    parts: list[Child] = []
    for index in range(round(frame.top / frame.tick) + 1):
        share = index * frame.tick
        y = frame.y(share)
        parts.append(line(_LEFT, y, frame.right, y, "axis" if index == 0 else "grid"))
        parts.append(label(_LEFT - 8, y + 4, f"{share:.2f}", "end"))
    return parts


def _lines(frame: _Frame, verdict: Verdict) -> list[Child]:
    """The share k̃/n, and the cut between the last suspect and the next participant."""
    expected = expected_share(verdict)
    y = frame.y(expected)
    parts: list[Child] = [
        line(_LEFT, y, frame.right + 6, y, "expected"),
        label(frame.right + 10, y + 4, f"k̃/n = {expected:.3g}", "strong"),
    ]
    named = len(verdict.suspects)
    if named <= frame.places:
        x = frame.x(named)
        kind = "start" if x < frame.right - 120 else "end"
        parts.append(line(x, _TOP - 8, x, _TOP + _HEIGHT + 4, "cut"))
        parts.append(label(x + (6 if kind == "start" else -6), 14, f"cut at k̃ = {named:,}", kind))
    return parts


def _legend(verdict: Verdict) -> Element:
    entries = [
        (swatch("m-6 -5h12v10h-12z", "bar suspect"), "suspect"),
        (swatch("m-6 -5h12v10h-12z", "bar other"), "not a suspect"),
        (swatch("m-7 0h14", "expected"), "k̃/n, if nobody stood out"),
        (swatch("m0 -7v14", "cut"), "cut between the last suspect and the next"),
    ]
    if _compromised(verdict):
        entries.append((swatch(SHAPES[2], "truth"), "known to be compromised"))
    return legend(*entries)


def _compromised(verdict: Verdict) -> frozenset[str]:
    truth = verdict.evaluation
    return frozenset(truth.compromised) if truth is not None else frozenset()


def _axis(verdict: Verdict) -> tuple[float, float]:
    """A round share above all bars and the line, and the distance of ticks."""
    highest = max(verdict.ranking[0].share, expected_share(verdict)) * 1.04
    return next((axis for axis in _AXES if axis[0] >= highest), _AXES[-1])


def _round_step(length: int) -> int:
    """A round distance of ticks, of which there are at most ten."""
    step = 10
    while length // step > 10:
        step *= 2 if str(step).startswith("1") else 5
    return step
