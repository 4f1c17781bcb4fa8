"""The page of all rounds of a run: those who stand out, the start, and the rounds concerned."""

import math
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from ariba_cli.base.visible import visible
from ariba_cli.reports.finding_words import findings_in_words
from ariba_cli.reports.history_report import HistoryReport
from ariba_cli.reports.history_words import course_in_words, span_in_words, standing_out_in_words
from ariba_cli.reports.html.blocks import (
    bullets,
    code,
    count,
    figure,
    folded,
    note,
    pairs,
    paragraph,
    scrolling,
    section,
    table,
)
from ariba_cli.reports.html.checking import config_rows
from ariba_cli.reports.html.drawing import at, label, line, path, rectangle, svg
from ariba_cli.reports.html.findings import findings_line
from ariba_cli.reports.html.frame import head, header, navigation
from ariba_cli.reports.html.heat import LEVELS
from ariba_cli.reports.html.markup import Child, append, element, serialise, short
from ariba_cli.reports.words import p_in_words
from ariba_cli.verdicts.history import Course, History

_MOST_NAMED = 30
# Those who are named and the next ones, within this, have a line in the pictures.
_MOST_ROWS = 60
_NAME = 16
_LETTER = 6.8
_CELL = 16
_NARROWEST = 4
_WIDEST_MAP = 900
# The colours of the heat map reach their end at such a p-value.
_END = 6.0
_TIP = 2500
_TALL, _WIDE = 150, 640
_LEFT, _BOTTOM = 34, 22
_CSS = """
.began { stroke: var(--ink); stroke-width: 3; }
.usual { fill: var(--rule); opacity: .6; }
.course { fill: none; stroke: var(--suspect); stroke-width: 1.3; opacity: .75; }
"""


def history_html(report: HistoryReport) -> bytes:
    """Return the verdict on all rounds together as one page that needs nothing else."""
    history = report.verdict
    facts = (
        count(len(history.ranking), "participant"),
        count(len(history.rounds), "round"),
        f"level {history.decision.alpha:.3g}",
        visible(report.run.started),
    )
    sections = [
        _verdict(history),
        _map(history),
        _timeline(history),
        _ranking(history),
        _rounds(history),
        _findings(history),
        _checking(report),
    ]
    found = count(len(history.findings), "finding")
    footer = element("footer", {}, f"ariba {visible(report.run.ariba)} · {found}")
    name = f"rounds {span_in_words(history)}"
    body = element(
        "body",
        {},
        header("ariba audit", name, facts),
        navigation(sections),
        element("main", {}, *sections),
        footer,
    )
    top = head(f"Audit of {name}", _CSS, report.result_sha256)
    return serialise(element("html", {"lang": "en"}, top, body))


def _verdict(history: History) -> Element:
    node = element("dl", {"class": "reasons"})
    for one in history.suspects[:_MOST_NAMED]:
        name = element("b", {}, f"▲ {short(one.id, 40)}")
        append(node, element("dt", {}, name))
        append(node, element("dd", {}, f"{course_in_words(one, history)}."))
    hidden = len(history.suspects) - _MOST_NAMED
    if hidden > 0:
        append(node, element("dt", {}, f"and {hidden:,} more"))
        append(node, element("dd", {}, "in the ranking"))
    lead = element("p", {"class": "lead"}, f"{standing_out_in_words(history)}.")
    unknown = bullets(
        (
            "Whether everybody who stands out is compromised: an honest participant with rare "
            "data can be unusual in every round.",
            "Whether everybody else is honest: not being flagged clears nobody.",
            "When an attack began: the round given is the most likely one.",
        )
    )
    parts = [lead, *findings_line(history.findings), *([node] if history.suspects else [])]
    return section("verdict", "Verdict", *parts, element("h3", {}, "What is not known"), unknown)


def _shown(history: History) -> list[Course]:
    return list(history.courses[:_MOST_ROWS])


def _map(history: History) -> Element:
    """Return a row for each participant, those first who stand out, and a column for each round."""
    courses = _shown(history)
    named = {one.id for one in history.suspects}
    names = [short(one.id, _NAME) for one in courses]
    left = 10 + _LETTER * max(map(len, names))
    cell = max(_NARROWEST, min(_CELL, (_WIDEST_MAP - left) / len(history.rounds)))
    tips = len(courses) * len(history.rounds) <= _TIP
    parts: list[Child] = []
    for row, (course, name) in enumerate(zip(courses, names, strict=True)):
        y = row * _CELL
        kind = "suspect" if course.id in named else "other"
        parts.append(label(left - 6, y + _CELL - 4, name, f"end {kind}"))
        for column, p in enumerate(course.p_values):
            if p is None:
                continue
            tip = f"{name}, round {history.rounds[column].number}: p-value {p_in_words(p)}"
            x = left + column * cell
            colour = f"q{_level(p) + LEVELS}"
            parts.append(rectangle(x, y, cell, _CELL, colour, tip if tips else None))
        if course.began is not None:
            x = left + cell * _column(history, course.began)
            parts.append(line(x, y + 1, x, y + _CELL - 1, "began"))
    bottom = len(courses) * _CELL
    parts += _ticks(history, left, cell, bottom + 14)
    width = left + cell * len(history.rounds) + 16
    picture = svg(width, bottom + _BOTTOM, "p-value by participant and round", *parts)
    hidden = len(history.courses) - len(courses)
    more = f" {hidden:,} others are in the ranking." if hidden > 0 else ""
    caption = (
        "A darker cell means that an honest participant would less likely look as suspicious in "
        "that round; p-values of 0.000001 or less are darkest. A missing cell means that the "
        f"participant was away. A bar marks the round in which it began to stand out.{more}"
    )
    return section("map", "Participants and rounds", figure(scrolling(picture), caption))


def _level(p: float) -> int:
    return round(min(-math.log10(max(p, 1e-300)) / _END, 1.0) * LEVELS)


def _column(history: History, number: int) -> int:
    return next(place for place, one in enumerate(history.rounds) if one.number == number)


def _ticks(history: History, left: float, cell: float, y: float) -> list[Child]:
    """Return the numbers of some of the rounds."""
    rounds = len(history.rounds)
    every = max(1, math.ceil(34 / cell))
    return [
        label(left + cell * (place + 0.5), y, str(history.rounds[place].number), "middle")
        for place in range(0, rounds, every)
    ]


def _timeline(history: History) -> Element:
    """Return a picture of the lengths of updates, of those who stand out and of the middle half."""
    rounds = len(history.rounds)
    step = (_WIDE - _LEFT - 10) / max(rounds - 1, 1)
    named = history.suspects[:_MOST_NAMED]
    courses = [history.course(one.id) for one in named] or _shown(history)[:1]
    usual = [one for one in history.courses if one.id not in {own.id for own in named}]
    bands = [_quartiles([one.lengths[place] for one in usual]) for place in range(rounds)]
    highest = max(
        [2.0, *(own for one in courses for own in one.lengths if own is not None)],
    )
    lowest = min([0.5, *(own for one in courses for own in one.lengths if own)])

    def y(length: float) -> float:
        span = math.log(highest) - math.log(lowest)
        share = (math.log(max(length, lowest)) - math.log(lowest)) / span
        return 6 + (_TALL - 12) * (1 - share)

    def x(place: int) -> float:
        return _LEFT + step * place

    parts: list[Child] = []
    upper = [(x(place), y(band[1])) for place, band in enumerate(bands) if band]
    lower = [(x(place), y(band[0])) for place, band in enumerate(bands) if band]
    if len(upper) > 1:
        parts.append(path(_through([*upper, *reversed(lower)]) + "z", "usual"))
    for length in (lowest, 1.0, highest):
        parts.append(line(_LEFT, y(length), _WIDE - 10, y(length), "grid"))
        parts.append(label(_LEFT - 5, y(length) + 4, f"{length:.2g}", "end"))
    for course in courses:
        points = [(x(place), y(own)) for place, own in enumerate(course.lengths) if own is not None]
        if len(points) > 1:
            parts.append(path(_through(points), "course", short(course.id, _NAME)))
    parts += _ticks(history, _LEFT - step / 2, step, _TALL + 14)
    who = (
        "of those who stand out" if named else f"of {short(courses[0].id, _NAME)}, who ranks first"
    )
    caption = (
        f"The length of the updates {who}, as a multiple of the median of the round. The band "
        "holds the middle half of all others."
    )
    picture = svg(_WIDE, _TALL + _BOTTOM, "Length of updates by round", *parts)
    return section("timeline", "Lengths over time", figure(scrolling(picture), caption))


def _through(points: Sequence[tuple[float, float]]) -> str:
    (x, y), *rest = points
    return at(x, y, "") + "".join(at(*point, "").replace("M", "L") for point in rest)


def _quartiles(values: Sequence[float | None]) -> tuple[float, float] | None:
    known = sorted(one for one in values if one is not None)
    if not known:
        return None
    return known[(len(known) - 1) // 4], known[-1 - (len(known) - 1) // 4]


def _ranking(history: History) -> Element:
    others = [
        (one.name, {name: place for place, name in enumerate(one.ids, 1)})
        for one in history.detectors[1:]
    ]
    headers = [
        "rank",
        "participant",
        "p-value",
        "since",
        "rounds",
        "",
        *(name for name, _ in others),
    ]
    rows: list[list[Child]] = [
        [
            str(ranked.rank),
            short(ranked.id, 40),
            p_in_words(ranked.p_value),
            "" if course.began is None else str(course.began),
            str(course.attended),
            element("span", {"class": "suspect"}, "▲ flagged") if ranked.named else "",
            *(str(ranks[ranked.id]) for _, ranks in others),
        ]
        for ranked, course in zip(history.ranking, history.courses, strict=True)
    ]
    numbers = [1, 3, 4, 5, *range(7, 7 + len(others))]
    found = table(headers, rows, right=numbers, heading=1)
    whole = folded(count(len(rows), "participant"), found, rows=len(rows))
    return section("ranking", "Ranking", whole)


def _rounds(history: History) -> Element:
    rows: list[list[Child]] = [
        [
            str(one.number),
            str(one.participants),
            ", ".join(short(name, _NAME) for name in one.named) or "nobody",
            code(one.result_sha256[:16]),
        ]
        for one in history.rounds
    ]
    headers = ("round", "participants", "flagged in this round", "result_sha256")
    return section("rounds", "Rounds", table(headers, rows, right=(1, 2)))


def _findings(history: History) -> Element:
    lines = findings_in_words(history.findings)
    shown = bullets(lines) if lines else paragraph("No findings.")
    return section("findings", "Findings", shown)


def _checking(report: HistoryReport) -> Element:
    about = note("ariba verify REPORT RUN audits all rounds again and compares.")
    rows: list[tuple[str, Child]] = [
        ("result_sha256", code(report.result_sha256)),
        ("ariba", visible(report.run.ariba)),
        *config_rows(report.run),
    ]
    return section("checking", "Checking", about, pairs(rows))
